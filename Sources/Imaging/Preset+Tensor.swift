internal import CKernels

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

extension Preset {
  /// Makes the tensor of one JPEG or PNG file: with mode `crop` and the filter `linear`, that of MXNet's
  /// ImageRecordIter at evaluation, bit for bit.
  ///
  /// Only the pixels that have a say in the tensor are decoded and resized, where the format allows.
  ///
  /// - Parameters:
  ///   - tensor: `count` numbers, channel by channel (RGB, or grey), row by row: `(sample - mean) * (1 / std)`.
  ///   - file: the file's bytes; only read during the call.
  ///   - options: `color` has no meaning, the shape says it.
  /// - Throws: what `decode` throws; `.tooLarge` too where a resized size does not fit 32 bits. The tensor's numbers
  ///   mean nothing then.
  /// - Precondition: the tensor has `count` numbers.
  public func fill(
    _ tensor: inout MutableSpan<Float>, from file: Span<UInt8>, _ options: DecodeOptions = DecodeOptions()
  ) throws(ImageError) {
    let options = matching(options)
    let steps = try steps(from: uprightSize(of: probe(file), options))
    let part = try decode(file, options, window: steps[0].needed)
    try fill(&tensor, from: part.pixels, at: Offset(x: part.x, y: part.y), steps)
  }

  /// The same as bytes, without mean and standard deviation: MXNet's ImageRecordUInt8Iter.
  public func fill(
    _ tensor: inout MutableSpan<UInt8>, from file: Span<UInt8>, _ options: DecodeOptions = DecodeOptions()
  ) throws(ImageError) {
    let options = matching(options)
    let steps = try steps(from: uprightSize(of: probe(file), options))
    let part = try decode(file, options, window: steps[0].needed)
    try fill(&tensor, from: part.pixels, at: Offset(x: part.x, y: part.y), steps)
  }

  func matching(_ options: DecodeOptions) -> DecodeOptions {
    var options = options
    options.color = channels == 1 ? .gray : .rgb
    options.turnsPNG = false
    return options
  }
}

/// EXIF's orientations from 5 on exchange the sides.
func uprightSize(of info: ImageInfo, _ options: DecodeOptions) -> Scaling.Size {
  options.orientation(of: info) >= 5
    ? Scaling.Size(width: info.height, height: info.width)
    : Scaling.Size(width: info.width, height: info.height)
}

extension Preset {
  /// The resizes between a picture of `size` and the tensor, at least one, each restricted to what the next one needs:
  /// nothing outside the final cut is computed, and the first one says which part of the picture must be decoded.
  ///
  /// - Throws: `.tooLarge` where a size on the way does not fit 32 bits, as MXNet counts.
  func steps(from size: Scaling.Size) throws(ImageError) -> [Scaling] {
    var sizes = [size]
    switch mode {
    case .squash: sizes.append(Scaling.Size(width: width, height: height))
    case .crop: try appendCropSizes(to: &sizes)
    }
    let last = sizes[sizes.count - 1]
    // The middle, half a pixel up or left where it cannot be exact.
    return steps(
      through: sizes,
      keeping: Window(
        x: (last.width - width) / 2, y: (last.height - height) / 2, width: width, height: height))
  }

  /// The steps from each size to the next, at least one; of the last size only `kept` is wanted.
  func steps(through sizes: [Scaling.Size], keeping kept: Window) -> [Scaling] {
    var kept = kept
    let sizes = sizes.count == 1 ? [sizes[0], sizes[0]] : sizes
    var steps: [Scaling] = []
    for index in stride(from: sizes.count - 1, to: 0, by: -1) {
      let step = Scaling(sizes[index - 1], to: sizes[index], filter, kept: kept, depth: .eight)
      kept = step.needed
      steps.insert(step, at: 0)
    }
    return steps
  }

  /// ImageRecordIter's sizes: the short edge in whole numbers; then, where a side is too small, up to two enlargements
  /// that keep the proportions, in single precision and in this order of operations.
  private func appendCropSizes(to sizes: inout [Scaling.Size]) throws(ImageError) {
    try appendShortEdgeSize(to: &sizes)
    var size = sizes[sizes.count - 1]
    if size.height < height {
      let columns = Float(height) / Float(size.height) * Float(size.width)
      size = try checked(Double(columns), Double(height))
      sizes.append(size)
    }
    if size.width < width {
      let rows = Float(width) / Float(size.width) * Float(size.height)
      size = try checked(Double(width), Double(rows))
      sizes.append(size)
    }
  }

  func appendShortEdgeSize(to sizes: inout [Scaling.Size]) throws(ImageError) {
    guard let resize else { return }
    let (width, height) = try shortEdgeSize(width: sizes[0].width, height: sizes[0].height, edge: resize)
    sizes.append(try checked(Double(width), Double(height)))
  }

  /// Truncated to whole pixels.
  private func checked(_ width: Double, _ height: Double) throws(ImageError) -> Scaling.Size {
    guard let columns = Int32(exactly: width.rounded(.towardZero)),
      let rows = Int32(exactly: height.rounded(.towardZero))
    else {
      let most = Double(Int32.max)
      throw ImageError(
        .tooLarge(width: Int(min(width, most)), height: Int(min(height, most)), limit: Int(Int32.max)))
    }
    return Scaling.Size(width: Int(columns), height: Int(rows))
  }
}
