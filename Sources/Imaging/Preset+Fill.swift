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
