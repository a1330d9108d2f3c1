internal import CImaging
import Glibc

extension Preset {
  /// Makes the training tensor of a JPEG or PNG file, as MXNet's ImageRecordIter does from the same draws.
  ///
  /// With the draws of `Augmentation()` the tensor is that of evaluation, but an image smaller than the shape is
  /// refused instead of enlarged.
  ///
  /// - Parameters:
  ///   - tensor: receives `count` numbers, `(sample - mean) * (1 / std)`, channel by channel and row by row.
  ///   - file: the file's bytes; only read during the call.
  ///   - draw: the changes to this image. In grey images, only the lightness is shifted.
  ///   - options: `color` is ignored, since the shape decides.
  /// - Throws: `.smallerThanShape`; what `decode` throws. The contents of the tensor are undefined then.
  /// - Precondition: the tensor has `count` numbers.
  public func fill(
    _ tensor: inout MutableSpan<Float>, from file: Span<UInt8>, _ draw: Augmentation.Draw,
    _ options: DecodeOptions = DecodeOptions()
  ) throws(ImageError) {
    let options = matching(options)
    let plan = try AugmentationPlan(self, draw, from: uprightSize(of: probe(file), options))
    let part = try decode(file, options, window: plan.steps[0].needed)
    try fill(&tensor, from: part.pixels, at: Offset(x: part.x, y: part.y), plan)
  }

  /// Checks that the training tensor can be cropped from an image with this header.
  ///
  /// - Throws: `.smallerThanShape`; `.tooLarge` where a resized size does not fit 32 bits.
  public func checkSize(_ info: ImageInfo, _ options: DecodeOptions = DecodeOptions()) throws(ImageError) {
    _ = try croppedSize(from: uprightSize(of: info, matching(options)))
  }

  /// The sizes from that of the file to that of the picture that the crop is taken from.
  fileprivate func croppedSize(from size: ResizePlan.Size) throws(ImageError) -> [ResizePlan.Size] {
    var sizes = [size]
    switch mode {
    case .squash: sizes.append(ResizePlan.Size(width: width, height: height))
    case .crop: try appendShortEdgeSize(to: &sizes)
    }
    let last = sizes[sizes.count - 1]
    guard last.width >= width, last.height >= height else {
      throw ImageError(.smallerThanShape(width: last.width, height: last.height, shape: shape))
    }
    return sizes
  }

  /// Makes the training tensor from decoded pixels that cover the part that the plan's first step needs.
  func fill(
    _ tensor: inout MutableSpan<Float>, from pixels: borrowing Pixels, at origin: Offset,
    _ plan: AugmentationPlan,
    _ set: KernelSet = .best
  ) throws(ImageError) {
    if plan.warp == nil && plan.draw.colors == nil {
      try fill(&tensor, from: pixels, at: origin, plan.steps, set)
    } else {
      precondition(tensor.count == count, "the tensor has as many numbers as the shape")
      let last = plan.steps[plan.steps.count - 1]
      try lastSource(pixels, origin, plan.steps[...], set) { (pixels, origin) throws(ImageError) in
        let part = try pixels.scaled(by: last, at: origin, set)
        if let warp = plan.warp {
          let warped = try warp.applied(
            to: part, at: Offset(x: last.kept.x, y: last.kept.y), keeping: plan.crop)
          try finish(&tensor, warped, plan.draw, set)
        } else {
          try finish(&tensor, part, plan.draw, set)
        }
      }
    }
    if plan.draw.isMirrored { mirror(&tensor) }
  }

  /// Shifts the colours of the crop and writes its planes.
  private func finish(
    _ tensor: inout MutableSpan<Float>, _ crop: borrowing Pixels, _ draw: Augmentation.Draw, _ set: KernelSet
  ) throws(ImageError) {
    let line = try Scratch<UInt8>(count: width * channels)
    unsafe tensor.withUnsafeMutableBufferPointer { numbers in
      guard let start = numbers.baseAddress else { return }
      let planes = unsafe Planes(self, start, set)
      for y in 0..<height {
        let row = unsafe crop.row(y, of: UInt8.self)
        guard let colors = draw.colors else {
          unsafe planes.set(row: y, from: row)
          continue
        }
        if channels == 3 {
          unsafe set.table.shift_hls(
            line.start, row, Int32(clamping: colors.hue), Int32(clamping: colors.lightness),
            Int32(clamping: colors.saturation), width)
        } else {
          for x in 0..<width {
            unsafe line.start[x] = UInt8(clamping: Int(row[x]) + min(max(colors.lightness, -255), 255))
          }
        }
        unsafe planes.set(row: y, from: line.start)
      }
    }
  }

  /// Reverses each row of each plane.
  private func mirror(_ tensor: inout MutableSpan<Float>) {
    let width = width
    unsafe tensor.withUnsafeMutableBufferPointer { numbers in
      for start in stride(from: 0, to: numbers.count, by: width) {
        unsafe numbers[start..<start + width].reverse()
      }
    }
  }
}

/// How the crop of one training picture is made.
struct AugmentationPlan {
  /// The resizes; the last one keeps the part that the warp needs or, without one, the crop.
  let steps: [ResizePlan]
  let warp: Warp?
  let draw: Augmentation.Draw
  /// In pixels of the resized picture.
  let crop: Window

  /// - Throws: `.smallerThanShape`; `.tooLarge` where a resized size does not fit 32 bits.
  init(_ preset: Preset, _ draw: Augmentation.Draw, from size: ResizePlan.Size) throws(ImageError) {
    let sizes = try preset.croppedSize(from: size)
    let last = sizes[sizes.count - 1]
    self.draw = draw
    var crop = Window(
      x: (last.width - preset.width) / 2, y: (last.height - preset.height) / 2, width: preset.width,
      height: preset.height)
    if let place = draw.place {
      crop.x = Self.position(place.across, of: last.width - preset.width)
      crop.y = Self.position(place.down, of: last.height - preset.height)
    }
    self.crop = crop
    warp = draw.warp.map { Warp($0, of: last, border: draw.fill) }
    steps = preset.steps(through: sizes, keeping: warp?.needed(for: crop) ?? crop)
  }

  /// The position in 0...last for a fraction in 0..<1.
  private static func position(_ fraction: Double, of last: Int) -> Int {
    let place = (min(max(fraction, 0), 1) * Double(last + 1)).rounded(.down)
    return min(Int(exactly: place) ?? 0, last)
  }
}

/// The affine map of MXNet's augmenter: shear, rotation and stretch about the center, without a change of size.
/// Parameters that give no usable matrix leave the picture unchanged.
///
/// Source: MXNet's `image_aug_default.cc` for the matrix, in single precision; OpenCV's `warpAffine` for its
/// application, in 1024ths of a pixel.
struct Warp {
  let size: ResizePlan.Size
  let border: UInt8
  /// The 2x3 matrix, row by row, from pixels of the result to pixels of the source.
  private let inverse: [Double]

  init(_ warp: Augmentation.Draw.Warp, of size: ResizePlan.Size, border: UInt8) {
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
    // Larger numbers, which no augmentation draws, and NaN would overflow the arithmetic below.
    let isSane = [i0, i1, i3, i4].allSatisfy { abs($0) < 1000 } && made.allSatisfy { $0.isFinite }
    inverse = isSane ? made : [1, 0, 0, 0, 1, 0]
  }

  /// The part of the source that the part `kept` of the result depends on; at least one pixel.
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

  /// The span of positions with two pixels to spare on each side, for rounding and for the second pixel of an
  /// interpolation.
  private static func span(_ places: [Double], within length: Int) -> (start: Int, count: Int) {
    let last = Double(length - 1)
    func clamped(_ place: Double) -> Int { Int(exactly: min(max(place, 0), last).rounded(.down)) ?? 0 }
    let start = clamped((places.min() ?? 0).rounded(.down) - 2)
    return (start, clamped((places.max() ?? last).rounded(.up) + 2) - start + 1)
  }

  /// The part `kept` of the result.
  ///
  /// - Parameters:
  ///   - part: a part of the source that covers `needed(for: kept)`.
  ///   - origin: the position of the first pixel of `part` in the source.
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

  /// Pixels as 1024ths, halves rounded to even. They fit: a side has less than 2^31 pixels, and the map stretches
  /// less than 1000 times.
  private static func parts(_ pixels: Double) -> Int64 {
    Int64(exactly: (pixels * 1024).rounded(.toNearestOrEven)) ?? 0
  }
}
