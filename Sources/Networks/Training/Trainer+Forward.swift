
/// Forward, all layers one after the other, each by all workers on their parts of the batch.
extension Trainer {
  /// Which images each part has.
  func images(of part: Int, count: Int) -> Range<Int> {
    count * part / workers.count..<count * (part + 1) / workers.count
  }

  func execution(_ images: UnsafePointer<Float>, worker: Int) -> Execution {
    unsafe Execution(
      arena: arena.start, memory: memory, input: images, workers: nil, scratch: scratch, shared: shared,
      worker: worker)
  }

  func forEachPart(
    _ images: Span<Float>, count: Int, _ body: @Sendable (TrainingPart) -> Void
  ) {
    unsafe images.withUnsafeBufferPointer { images in
      guard let images = images.baseAddress else { return }
      let parts = (0..<workers.count).map { part in
        let all = self.images(of: part, count: count)
        return unsafe TrainingPart(
          images: all, all: all, index: part, execution: execution(images, worker: part),
          sums: sums[part].start)
      }
      workers.forEach(parts.count) { part, _ in
        if !parts[part].images.isEmpty { body(parts[part]) }
      }
    }
  }

  /// - Returns: the mean loss and the number of the images, of all ranks.
  func run(
    _ images: Span<Float>, targets: Span<Float>, count: Int, outputs: inout MutableSpan<Float>
  ) -> (loss: Double, total: Int) {
    let least = exchange == nil ? 1 : 0
    precondition((least...batch).contains(count), "a step has an image at least, and at most a batch")
    precondition(images.count == count * inputShape.reduce(1, *), "as many tensors as images")
    precondition(targets.count == count * outputCount, "as many targets as outputs")
    precondition(outputs.count == count * outputCount, "room for as many outputs as images")
    if !isPacked { pack() }
    watch(images, count: count)
    for (index, layer) in layers.enumerated() {
      let output = plan.layers[index].output
      let norms = normalizations(of: output)
      for norm in norms { norm.begin() }
      forEachPart(images, count: count) { part in
        part.forEachFew(layer.imagesForward) { few in
          layer.forward(few)
          for image in few.images {
            for norm in norms { unsafe norm.watch(few.execution.read(output, image: image), part: few.index) }
          }
        }
      }
      for norm in norms { norm.finish(exchange) }
    }
    let loss = head(images, targets: targets, count: count, outputs: &outputs)
    guard let exchange else { return (loss, count) }
    var sums = [count > 0 ? loss * Double(count) : 0, Double(count)]
    exchange.sum(&sums)
    return (sums[0] / sums[1], Int(exactly: sums[1]) ?? count)
  }

  func normalizations(of value: Int) -> [Normalization] {
    plan.views.indices.compactMap { plan.views[$0].value == value ? normalizations[$0] : nil }
  }

  /// The statistics of the images themselves.
  func watch(_ images: Span<Float>, count: Int) {
    let norms = normalizations(of: 0)
    guard !norms.isEmpty else { return }
    for norm in norms { norm.begin() }
    forEachPart(images, count: count) { part in
      for image in part.images {
        for norm in norms { unsafe norm.watch(part.execution.read(0, image: image), part: part.index) }
      }
    }
    for norm in norms { norm.finish(exchange) }
  }
}
