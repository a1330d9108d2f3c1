internal import CImaging
import Glibc

/// The affine map of MXNet's augmenter: shear, turn and stretch about the middle; the size stays. Numbers that make no
/// map leave the picture as it is.
///
/// Source: MXNet's `image_aug_default.cc` for the matrix, in single precision; OpenCV's `warpAffine` for what is done with
/// it, in 1024ths of a pixel.
struct Warp {
  let size: Scaling.Size
  let border: UInt8
  /// From a pixel of the result to one of the source, row by row.
  private let inverse: [Double]

  init(_ warp: Augmentation.Draw.Warp, of size: Scaling.Size, border: UInt8) {
    self.size = size
    self.border = border
    let radians = Double(warp.angle) / 180 * Double.pi
    let (a, b) = (Float(cos(radians)), Float(sin(radians)))
    let high = 2 / (1 + warp.ratio)
    let wide = warp.ratio * high
    let m0 = high * a - warp.shear * b * wide
    let m1 = high * b + warp.shear * a * wide
    let m3 = -b * wide
    let m4 = a * wide
    let (width, height) = (Float(size.width), Float(size.height))
    let m2 = (width - (m0 * width + m1 * height)) / 2
    let m5 = (height - (m3 * width + m4 * height)) / 2
    let forward = [m0, m1, m2, m3, m4, m5].map { Double($0) }
    let determinant = forward[0] * forward[4] - forward[1] * forward[3]
    let factor = determinant == 0 ? 0 : 1 / determinant
    let (i0, i1) = (forward[4] * factor, forward[1] * -factor)
    let (i3, i4) = (forward[3] * -factor, forward[0] * factor)
    let made = [
      i0, i1, -i0 * forward[2] - i1 * forward[5], i3, i4, -i3 * forward[2] - i4 * forward[5],
    ]
    // What no augmentation draws, and what is no number, would leave the range of what is counted below.
    let isSane = [i0, i1, i3, i4].allSatisfy { abs($0) < 1000 } && made.allSatisfy { $0.isFinite }
    inverse = isSane ? made : [1, 0, 0, 0, 1, 0]
  }

  /// The part of the source that has a say in the part `kept` of the result; a pixel at least.
  func needed(for kept: Window) -> Window {
    let corners = [
      (kept.x, kept.y), (kept.x + kept.width, kept.y), (kept.x, kept.y + kept.height),
      (kept.x + kept.width, kept.y + kept.height),
    ].map { (Double($0.0), Double($0.1)) }
    let columns = corners.map { inverse[0] * $0.0 + inverse[1] * $0.1 + inverse[2] }
    let rows = corners.map { inverse[3] * $0.0 + inverse[4] * $0.1 + inverse[5] }
    let (x, width) = Self.span(columns, within: size.width)
    let (y, height) = Self.span(rows, within: size.height)
    return Window(x: x, y: y, width: width, height: height)
  }

  /// With two pixels to spare on each side, for the roundings and the second pixel of an interpolation.
  private static func span(_ places: [Double], within length: Int) -> (start: Int, count: Int) {
    let last = Double(length - 1)
    func clamped(_ place: Double) -> Int { Int(exactly: min(max(place, 0), last).rounded(.down)) ?? 0 }
    let start = clamped((places.min() ?? 0).rounded(.down) - 2)
    return (start, clamped((places.max() ?? last).rounded(.up) + 2) - start + 1)
  }

  /// - Parameter origin: where the first pixel of `part`, which covers what is needed, lies in the source.
  /// - Returns: the part `kept` of the result.
  /// - Throws: `.outOfMemory`.
  func applied(to part: borrowing Pixels, at origin: Offset, keeping kept: Window) throws(ImageError)
    -> Pixels
  {
    let needed = needed(for: kept)
    precondition(
      part.depth == .eight
        && part.bounds.contains(
          Window(
            x: needed.x - origin.x, y: needed.y - origin.y, width: needed.width, height: needed.height)),
      "the part covers what the map needs")
    let result = try Pixels(width: kept.width, height: kept.height, channels: part.channels)
    let steps = (kept.x..<kept.x + kept.width).flatMap { column in
      [Self.parts(inverse[0] * Double(column)), Self.parts(inverse[3] * Double(column))]
    }
    unsafe steps.withUnsafeBufferPointer { steps in
      guard let steps = steps.baseAddress else { return }
      var warp = unsafe img_warp(
        in: part.row(0, of: UInt8.self), stride: Int64(part.rowByteCount), left: Int64(origin.x),
        top: Int64(origin.y), width: Int64(size.width), height: Int64(size.height), steps: steps,
        border: border)
      for y in 0..<kept.height {
        let row = Double(kept.y + y)
        unsafe img_warp_linear(
          result.row(y, of: UInt8.self), &warp, Self.parts(inverse[1] * row + inverse[2]) + 16,
          Self.parts(inverse[4] * row + inverse[5]) + 16, Int32(truncatingIfNeeded: part.channels),
          kept.width)
      }
    }
    return result
  }

  /// In 1024ths, halves to even. Pictures have less than 2^31 pixels and the map stretches less than 1000 times.
  private static func parts(_ pixels: Double) -> Int64 {
    Int64(exactly: (pixels * 1024).rounded(.toNearestOrEven)) ?? 0
  }
}
