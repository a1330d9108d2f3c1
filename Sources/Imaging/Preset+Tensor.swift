internal import CImaging

/// From decoded pixels to planes of numbers, one per channel.
extension Preset {
  /// Makes the tensor of a decoded picture, or of a part of it.
  ///
  /// - Parameters:
  ///   - tensor: `count` numbers.
  ///   - pixels: they cover the part that the first step needs.
  ///   - origin: the position of the first pixel of `pixels` in the whole picture.
  ///   - steps: the result of `steps(from:)` for the size of the whole picture.
  func fill(
    _ tensor: inout MutableSpan<Float>, from pixels: borrowing Pixels, at origin: Offset,
    _ steps: [ResizePlan],
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

  /// Makes the tensor as bytes, without mean and standard deviation.
  func fill(
    _ tensor: inout MutableSpan<UInt8>, from pixels: borrowing Pixels, at origin: Offset,
    _ steps: [ResizePlan],
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

  /// Runs all steps but the last, and lends the result to `body`.
  func lastSource(
    _ pixels: borrowing Pixels, _ origin: Offset, _ steps: ArraySlice<ResizePlan>, _ set: KernelSet,
    _ body: (borrowing Pixels, Offset) throws(ImageError) -> Void
  ) throws(ImageError) {
    guard steps.count > 1, let step = steps.first else { return try body(pixels, origin) }
    let next = try pixels.scaled(by: step, at: origin, set)
    try lastSource(next, Offset(x: step.kept.x, y: step.kept.y), steps.dropFirst(), set, body)
  }
}

/// Writes the planes of one tensor, row by row.
@safe struct Planes {
  let start: UnsafeMutablePointer<Float>
  let width: Int, size: Int, channels: Int
  let mean: [Float]
  /// 1 / std: MXNet multiplies with the inverse, which rounds differently from a division.
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
  /// Makes the tensor of a JPEG or PNG file. With the mode `crop` and the filter `linear` it equals that of MXNet's
  /// ImageRecordIter at evaluation, bit for bit.
  ///
  /// Where the format allows, only the pixels that the tensor depends on are decoded and resized.
  ///
  /// - Parameters:
  ///   - tensor: receives `count` numbers, `(sample - mean) * (1 / std)`, channel by channel (RGB, or grey) and row
  ///     by row.
  ///   - file: the file's bytes; only read during the call.
  ///   - options: `color` is ignored, since the shape decides.
  /// - Throws: what `decode` throws; `.tooLarge` also where a resized size does not fit 32 bits. The contents of the
  ///   tensor are undefined then.
  /// - Precondition: the tensor has `count` numbers.
  /// - Complexity: that of `decode(_:_:window:)`, plus O(pixels decoded + `count`).
  public func fill(
    _ tensor: inout MutableSpan<Float>, from file: Span<UInt8>, _ options: DecodeOptions = DecodeOptions()
  ) throws(ImageError) {
    let options = matching(options)
    let steps = try steps(from: uprightSize(of: probe(file), options))
    let part = try decode(file, options, window: steps[0].needed)
    try fill(&tensor, from: part.pixels, at: Offset(x: part.x, y: part.y), steps)
  }

  /// Makes the tensor as bytes, without mean and standard deviation, as MXNet's ImageRecordUInt8Iter.
  ///
  /// - Throws: as for numbers.
  public func fill(
    _ tensor: inout MutableSpan<UInt8>, from file: Span<UInt8>, _ options: DecodeOptions = DecodeOptions()
  ) throws(ImageError) {
    let options = matching(options)
    let steps = try steps(from: uprightSize(of: probe(file), options))
    let part = try decode(file, options, window: steps[0].needed)
    try fill(&tensor, from: part.pixels, at: Offset(x: part.x, y: part.y), steps)
  }

  /// The options with the colour of the shape, and without EXIF orientation of PNG, as in ImageRecordIter.
  func matching(_ options: DecodeOptions) -> DecodeOptions {
    var options = options
    options.color = channels == 1 ? .gray : .rgb
    options.orientsPNG = false
    return options
  }
}

/// The size after orientation: EXIF orientations from 5 on exchange width and height.
func uprightSize(of info: ImageInfo, _ options: DecodeOptions) -> ResizePlan.Size {
  options.orientation(of: info) >= 5
    ? ResizePlan.Size(width: info.height, height: info.width)
    : ResizePlan.Size(width: info.width, height: info.height)
}

extension Preset {
  /// The resizes from a picture of `size` to the tensor, at least one. Each is restricted to the part that the next one
  /// needs, so nothing outside the final crop is computed, and the first one tells which part of the picture to decode.
  ///
  /// - Throws: `.tooLarge` where an intermediate size does not fit 32 bits, as in MXNet.
  func steps(from size: ResizePlan.Size) throws(ImageError) -> [ResizePlan] {
    var sizes = [size]
    switch mode {
    case .squash: sizes.append(ResizePlan.Size(width: width, height: height))
    case .crop: try appendCropSizes(to: &sizes)
    }
    let last = sizes[sizes.count - 1]
    // The center, half a pixel up or left where it cannot be exact.
    return steps(
      through: sizes,
      keeping: Window(
        x: (last.width - width) / 2, y: (last.height - height) / 2, width: width, height: height))
  }

  /// The resizes from each size to the next, at least one. Only the part `kept` of the last size is needed.
  func steps(through sizes: [ResizePlan.Size], keeping kept: Window) -> [ResizePlan] {
    var kept = kept
    let sizes = sizes.count == 1 ? [sizes[0], sizes[0]] : sizes
    var steps: [ResizePlan] = []
    for index in stride(from: sizes.count - 1, to: 0, by: -1) {
      let step = ResizePlan(sizes[index - 1], to: sizes[index], filter, kept: kept, depth: .eight)
      kept = step.needed
      steps.insert(step, at: 0)
    }
    return steps
  }

  /// Appends ImageRecordIter's sizes: the resize of the shorter side, in whole numbers; then, where a side is too
  /// small, up to two enlargements that keep the proportions, in single precision and with this order of operations.
  private func appendCropSizes(to sizes: inout [ResizePlan.Size]) throws(ImageError) {
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

  /// Appends the size after the resize of the shorter side, if there is one.
  func appendShortEdgeSize(to sizes: inout [ResizePlan.Size]) throws(ImageError) {
    guard let resize else { return }
    let (width, height) = try shortEdgeSize(width: sizes[0].width, height: sizes[0].height, edge: resize)
    sizes.append(try checked(Double(width), Double(height)))
  }

  /// The size truncated to whole pixels.
  ///
  /// - Throws: `.tooLarge` where a side does not fit 32 bits.
  private func checked(_ width: Double, _ height: Double) throws(ImageError) -> ResizePlan.Size {
    guard let columns = Int32(exactly: width.rounded(.towardZero)),
      let rows = Int32(exactly: height.rounded(.towardZero))
    else {
      let most = Double(Int32.max)
      throw ImageError(
        .tooLarge(width: Int(min(width, most)), height: Int(min(height, most)), limit: Int(Int32.max)))
    }
    return ResizePlan.Size(width: Int(columns), height: Int(rows))
  }
}
