internal import CImaging

/// Planes of numbers, channel by channel, as networks take them.
extension Preset {
  /// Makes the tensor of a decoded picture or of a part of it.
  ///
  /// - Parameters:
  ///   - tensor: `count` numbers.
  ///   - steps: what `steps(from:)` says for the whole picture; `pixels` covers what the first one needs.
  ///   - origin: where the first pixel of `pixels` lies in the whole picture.
  func fill(
    _ tensor: inout MutableSpan<Float>, from pixels: borrowing Pixels, at origin: Offset, _ steps: [Scaling],
    _ set: KernelSet = .best
  ) throws(ImageError) {
    precondition(tensor.count == count, "the tensor has as many numbers as the shape")
    let last = steps[steps.count - 1]
    try lastSource(pixels, origin, steps[...], set) { (pixels, origin) throws(ImageError) in
      try unsafe tensor.withUnsafeMutableBufferPointer { (numbers) throws(ImageError) in
        guard let start = numbers.baseAddress else { return }
        let planes = unsafe Planes(self, start, set)
        if case .taps(let columns, let rows) = last.method, columns.count == 2, pixels.depth == .eight {
          // The last pass writes into the tensor, without a picture in between.
          try unsafe pixels.forEachRow(columns, rows, last.source, from: origin, set) {
            y, upper, lower, weight0, weight1 in
            unsafe planes.set(row: y, between: upper, lower, weight0, weight1)
          }
        } else {
          let part = try pixels.scaled(by: last, at: origin, set)
          for y in 0..<height { unsafe planes.set(row: y, from: part.row(y, of: UInt8.self)) }
        }
      }
    }
  }

  /// The same without mean and standard deviation.
  func fill(
    _ tensor: inout MutableSpan<UInt8>, from pixels: borrowing Pixels, at origin: Offset, _ steps: [Scaling],
    _ set: KernelSet = .best
  ) throws(ImageError) {
    precondition(tensor.count == count, "the tensor has as many numbers as the shape")
    let last = steps[steps.count - 1]
    try lastSource(pixels, origin, steps[...], set) { (pixels, origin) throws(ImageError) in
      let part = try pixels.scaled(by: last, at: origin, set)
      let size = width * height
      unsafe tensor.withUnsafeMutableBufferPointer { numbers in
        guard let out = numbers.baseAddress else { return }
        if channels == 1 {
          unsafe out.update(from: part.row(0, of: UInt8.self), count: size)
        } else {
          unsafe set.table.split_3(out, out + size, out + 2 * size, part.row(0, of: UInt8.self), size)
        }
      }
    }
  }

  /// Lends `body` the picture that the last step starts from.
  func lastSource(
    _ pixels: borrowing Pixels, _ origin: Offset, _ steps: ArraySlice<Scaling>, _ set: KernelSet,
    _ body: (borrowing Pixels, Offset) throws(ImageError) -> Void
  ) throws(ImageError) {
    guard steps.count > 1, let step = steps.first else { return try body(pixels, origin) }
    let next = try pixels.scaled(by: step, at: origin, set)
    try lastSource(next, Offset(x: step.kept.x, y: step.kept.y), steps.dropFirst(), set, body)
  }
}

/// The planes of one tensor that are being written.
@safe struct Planes {
  let start: UnsafeMutablePointer<Float>
  let width: Int, size: Int, channels: Int
  let mean: [Float]
  /// What a sample is multiplied by after the mean is subtracted: MXNet inverts first, which rounds differently from a
  /// division.
  let factors: [Float]
  let set: KernelSet

  init(_ preset: Preset, _ start: UnsafeMutablePointer<Float>, _ set: KernelSet) {
    unsafe self.start = start
    width = preset.width
    size = preset.width * preset.height
    channels = preset.channels
    mean = preset.mean
    factors = preset.std.map { 1 / $0 }
    self.set = set
  }

  func set(row: Int, from samples: UnsafePointer<UInt8>) {
    let out = unsafe start + row * width
    if channels == 1 {
      unsafe set.table.planes_1(out, samples, width, mean[0], factors[0])
    } else {
      unsafe set.table.planes_3(out, out + size, out + 2 * size, samples, width, mean, factors)
    }
  }

  func set(
    row: Int, between upper: UnsafePointer<Int16>, _ lower: UnsafePointer<Int16>, _ weight0: Int32,
    _ weight1: Int32
  ) {
    let out = unsafe start + row * width
    if channels == 1 {
      unsafe set.table.linear_planes_1(out, upper, lower, weight0, weight1, width, mean[0], factors[0])
    } else {
      unsafe set.table.linear_planes_3(
        out, out + size, out + 2 * size, upper, lower, weight0, weight1, width, mean, factors)
    }
  }
}
