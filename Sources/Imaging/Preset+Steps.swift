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
