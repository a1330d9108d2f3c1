internal import CImaging

extension Preset {
  /// Makes the training tensor of one JPEG or PNG file, as MXNet's ImageRecordIter does from the same draws.
  ///
  /// With the draws of `Augmentation()` it is what `fill` makes at evaluation, but an image smaller than the shape is
  /// refused, not enlarged.
  ///
  /// - Parameters:
  ///   - tensor: `count` numbers, channel by channel, row by row: `(sample - mean) * (1 / std)`.
  ///   - draw: what happens to this image. Of grey images only the lightness is shifted.
  ///   - options: `color` has no meaning, the shape says it.
  /// - Throws: `.smallerThanShape`; what `decode` throws. The tensor's numbers mean nothing then.
  /// - Precondition: the tensor has `count` numbers.
  public func fill(
    _ tensor: inout MutableSpan<Float>, from file: Span<UInt8>, _ draw: Augmentation.Draw,
    _ options: DecodeOptions = DecodeOptions()
  ) throws(ImageError) {
    let options = matching(options)
    let plan = try TrainingPlan(self, draw, from: uprightSize(of: probe(file), options))
    let part = try decode(file, options, window: plan.steps[0].needed)
    try fill(&tensor, from: part.pixels, at: Offset(x: part.x, y: part.y), plan)
  }

  /// - Throws: `.smallerThanShape` where no crop can be cut out of an image whose header says this size.
  public func checkSize(_ info: ImageInfo, _ options: DecodeOptions = DecodeOptions()) throws(ImageError) {
    _ = try croppedSize(from: uprightSize(of: info, matching(options)))
  }

  /// The sizes from that of the file to that out of which the crop is cut.
  fileprivate func croppedSize(from size: Scaling.Size) throws(ImageError) -> [Scaling.Size] {
    var sizes = [size]
    switch mode {
    case .squash: sizes.append(Scaling.Size(width: width, height: height))
    case .crop: try appendShortEdgeSize(to: &sizes)
    }
    let last = sizes[sizes.count - 1]
    guard last.width >= width, last.height >= height else {
      throw ImageError(.smallerThanShape(width: last.width, height: last.height, shape: shape))
    }
    return sizes
  }

  /// The same of pixels that cover what the plan's first step needs.
  func fill(
    _ tensor: inout MutableSpan<Float>, from pixels: borrowing Pixels, at origin: Offset,
    _ plan: TrainingPlan,
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

  /// Each row of each plane, last pixel first.
  private func mirror(_ tensor: inout MutableSpan<Float>) {
    let width = width
    unsafe tensor.withUnsafeMutableBufferPointer { numbers in
      for start in stride(from: 0, to: numbers.count, by: width) {
        unsafe numbers[start..<start + width].reverse()
      }
    }
  }
}

/// The way of one picture from its pixels to the crop.
struct TrainingPlan {
  /// What is left of the picture for the map, or, without one, the crop.
  let steps: [Scaling]
  let warp: Warp?
  let draw: Augmentation.Draw
  /// In pixels of the resized picture.
  let crop: Window

  /// - Throws: `.smallerThanShape`; `.tooLarge` where a resized size does not fit 32 bits.
  init(_ preset: Preset, _ draw: Augmentation.Draw, from size: Scaling.Size) throws(ImageError) {
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

  /// One of the places 0...last.
  private static func position(_ fraction: Double, of last: Int) -> Int {
    let place = (min(max(fraction, 0), 1) * Double(last + 1)).rounded(.down)
    return min(Int(exactly: place) ?? 0, last)
  }
}
