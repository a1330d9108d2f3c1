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
    var kept = Window(
      x: (last.width - width) / 2, y: (last.height - height) / 2, width: width, height: height)
    if sizes.count == 1 { sizes.append(last) }
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
    var size = sizes[0]
    if let resize {
      let (width, height) = try shortEdgeSize(width: size.width, height: size.height, edge: resize)
      size = try checked(Double(width), Double(height))
      sizes.append(size)
    }
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
