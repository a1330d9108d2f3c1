import Encodings
public import Files
public import Imaging
public import Models
import Networks

/// What `quantize` measures, and what it has to reach.
public struct QuantizationOptions: Sendable {
  /// The most images from which the ranges are taken.
  public var calibrationCount = 300
  /// The most images on which the quantized network is compared; none of them gave the ranges.
  public var checkCount = 5000
  /// Points of top-1 that may be lost, where the true classes are known.
  public var maximumDrop = 0.3
  /// Decides which images give the ranges.
  public var seed = 100
  /// The threads that decode and compute.
  public var threads = 1
  /// One of `Network.availableKernels`; nil: the best.
  public var kernels: String?
  /// How images are decoded, and limits on the work for one.
  public var decoding = DecodeOptions()

  public init() {}
}

/// A quantized network, and how it compares with the one it was made of.
public struct QuantizedNetwork: Encodable, Sendable {
  /// What was measured with some layers in bf16.
  public struct Trial: Encodable, Sendable {
    /// How many layers were kept in bf16.
    public let kept: Int
    /// Images whose most probable class is the true one, 0...1; nil where no class is known.
    public let top1: Double?
    /// Images whose most probable class is another than in fp32.
    public let changed: Int
  }
  /// A layer that stays in bf16.
  public struct KeptLayer: Encodable, Sendable {
    public let name: String
    /// By how much the answers come nearer to those of fp32 if only this layer is kept: half the sum of the absolute
    /// differences of an image's probabilities, averaged over images.
    public let gain: Double
  }

  /// What to run the network with.
  public internal(set) var quantization: Quantization
  /// Images that gave the ranges, and images that were compared.
  public internal(set) var calibrated = 0, checked = 0
  /// Images that were compared and whose true class is known.
  public internal(set) var labelled = 0
  /// How the ranges were chosen: maximum, percentile or leastSquares.
  public internal(set) var method = ""
  /// Layers that are quantized.
  public internal(set) var layers = 0
  /// Those that stay in bf16, the one that hurts most first.
  public internal(set) var kept: [KeptLayer] = []
  /// Top-1 of the labelled images, 0...1; nil where no class is known.
  public internal(set) var top1FP32: Double?, top1Int8: Double?
  /// Compared images whose most probable class is another than in fp32.
  public internal(set) var changed = 0
  /// With layers kept and without; the last one is the result's.
  public internal(set) var trials: [Trial] = []
  /// Images a second through the network alone, in batches of 32.
  public internal(set) var imagesPerSecondFP32 = 0.0, imagesPerSecondInt8 = 0.0
  /// The kernels that computed.
  public internal(set) var kernels = ""
  /// Images that could not be read.
  public internal(set) var skipped: [Skip] = []

  private enum CodingKeys: String, CodingKey {
    case calibrated, checked, labelled, method, layers, kept, changed, trials, kernels, skipped
    case top1FP32 = "top1_fp32"
    case top1Int8 = "top1_int8"
    case imagesPerSecondFP32 = "images_per_second_fp32"
    case imagesPerSecondInt8 = "images_per_second_int8"
  }

  /// Points of top-1 that were lost; nil where no class is known. Negative where int8 is better.
  public var drop: Double? { top1FP32.flatMap { before in top1Int8.map { (before - $0) * 100 } } }
}

/// Quantizes a model after its training: takes the ranges of its activations from images, and compares the answers.
///
/// It tries three ways to choose the ranges, and keeps the one whose answers are nearest to those of fp32 on a sample of
/// the images that gave the ranges. Where true classes are known, it keeps layers in bf16, the most harmful ones first,
/// until at most `maximumDrop` points of top-1 are lost on the other images.
///
/// - Parameters:
///   - model: not quantized yet.
///   - preset: how its images are prepared.
///   - images: their order does not matter.
///   - label: the true class of an image, by its path below the input's folder or its ID; nil: unknown.
///   - warn: gets a sentence for each thing that is odd.
///   - progress: gets the images that have gone through the network, and how many will, as far as that is known.
/// - Throws: `InputError` where there are too few images, or more is lost than may be with every layer kept; a
///   `ModelError` where the fast engine cannot run the network, or a layer reads a NaN or infinity; what opening the input
///   throws; `CancellationError`.
/// - Complexity: some 1.5 runs for each image. If layers must be kept, 64 images for each layer, and some 1.5 runs of the
///   compared images for each doubling of the number of kept layers. In memory are a batch of tensors and, of a `.rec`,
///   the chosen images.
public func quantize(
  _ model: Model, _ preset: Preset, _ images: TransformInput, options: QuantizationOptions,
  label: ((String) -> Int?)? = nil, warn: (String) -> Void = { _ in },
  progress: @escaping (_ done: Int, _ total: Int) -> Void = { _, _ in }
) throws -> QuantizedNetwork {
  guard model.quantization == nil else { throw InputError("\(model.path) is quantized already") }
  let run = try Quantizing(model, preset, images, options, label, progress)
  return try run.result(warn)
}

private final class Quantizing {
  private struct Picture {
    let name: String
    let content: TransformItem.Content
  }

  private let model: Model
  private let preset: Preset
  private let options: QuantizationOptions
  private let label: ((String) -> Int?)?
  private let workers: Workers
  private let progress: (Int, Int) -> Void
  private var done = 0, total = 0
  private var skipped: [Skip] = []
  private var calibrating: [Picture] = []
  private var checked: [Picture] = []
  private let plain: Network
  private let classifier: Classifier

  /// Images of a batch, and of a comparison that only ranks.
  private static let batch = 32, sample = 64

  init(
    _ model: Model, _ preset: Preset, _ images: TransformInput, _ options: QuantizationOptions,
    _ label: ((String) -> Int?)?, _ progress: @escaping (Int, Int) -> Void
  ) throws {
    self.model = model
    self.preset = preset
    self.options = options
    self.label = label
    self.progress = progress
    workers = Workers(count: options.threads)
    plain = try Network(
      model.graph, model.parameters, batch: Self.batch, workers: workers, kernels: options.kernels)
    guard plain.engine == .fast else {
      throw InputError(
        "\(model.path) cannot be quantized: the fast engine cannot run it"
          + (plain.fallback.map { "; \($0)" } ?? ""))
    }
    classifier = try Classifier(
      network: plain, preset: preset, cores: Cores(workers), decoding: options.decoding)
    try choose(images)
    total = calibrating.count + 4 * min(Self.sample, calibrating.count) + 2 * checked.count
  }

  // MARK: - Images

  /// Picks the images that give the ranges, and those that are compared: the same ones for the same seed.
  private func choose(_ input: TransformInput) throws {
    var count = 0
    var reader = try input.open()
    while let item = try reader.next() { if case .image = item { count += 1 } }
    guard count >= 2 else {
      throw InputError(
        "there \(count == 0 ? "is no image" : "is one image") in the input; at least 2 are needed, some hundred are good"
      )
    }
    let seed = mixedBits(UInt64(bitPattern: Int64(options.seed)))
    let order = (0..<count).map { (mixedBits(seed ^ UInt64($0)), $0) }.sorted { $0 < $1 }.map(\.1)
    let first = min(options.calibrationCount, count / 2)
    let chosen = order.prefix(first + min(options.checkCount, count - first))
    var places = [Int?](repeating: nil, count: count)
    for (place, index) in chosen.enumerated() { places[index] = place }
    var pictures = [Picture?](repeating: nil, count: chosen.count)
    reader = try input.open()
    var index = 0
    while let item = try reader.next() {
      switch item {
      case .ignored: continue
      case .unusable(let skip): skipped.append(skip)
      case .image(let image):
        if index < count, let place = places[index] {
          pictures[place] = Picture(name: image.name, content: image.content)
        }
        index += 1
      }
    }
    calibrating = pictures.prefix(first).compactMap { $0 }
    checked = pictures.dropFirst(first).compactMap { $0 }
  }

  /// The tensors of some images, one behind the other, and the images that they are of: one that cannot be read is left
  /// out, and told of once.
  private func read(_ pictures: some Collection<Picture>) throws -> (numbers: [Float], pictures: [Picture]) {
    try Task.checkCancellation()
    var files: [[UInt8]] = []
    var found: [Picture] = []
    for picture in pictures {
      switch picture.content {
      case .bytes(let bytes): files.append(bytes)
      case .file(let path):
        do throws(FileError) { files.append(try readFile(path, limit: 1 << 30).bytes) } catch {
          skip(picture, error.sentence)
          continue
        }
      }
      found.append(picture)
    }
    let (numbers, faults) = classifier.tensors(files)
    var good: [Picture] = []
    for (picture, fault) in zip(found, faults) {
      if let fault { skip(picture, fault.description) } else { good.append(picture) }
    }
    return (numbers, good)
  }

  private func skip(_ picture: Picture, _ reason: String) {
    let skip = Skip(path: picture.name, reason: reason)
    if !skipped.contains(skip) { skipped.append(skip) }
  }

  private func count(_ images: Int) {
    done += images
    total = max(total, done)
    progress(done, total)
  }

  // MARK: - Networks

  private func network(_ quantization: Quantization) throws -> Network {
    try Network(
      model.graph, model.parameters, batch: Self.batch, workers: workers, precision: .int8,
      quantization: quantization, kernels: options.kernels)
  }

  /// One row of probabilities for each tensor.
  private func answers(_ network: Network, _ tensors: [Float]) -> [[Float]] {
    let count = tensors.count / preset.count
    var outputs = [Float](repeating: 0, count: count * network.outputCount)
    var span = outputs.mutableSpan
    network.run(tensors.span, count: count, into: &span)
    self.count(count)
    return (0..<count).map { image in
      let row = outputs[image * network.outputCount..<(image + 1) * network.outputCount]
      return network.givesProbabilities ? Array(row) : softmax(row)
    }
  }

  /// Half the sum of the absolute differences of an image's probabilities, averaged over images.
  private func distance(_ left: [[Float]], _ right: [[Float]]) -> Double {
    let sum = zip(left, right).reduce(0.0) { sum, rows in
      sum + zip(rows.0, rows.1).reduce(0.0) { $0 + Double(abs($1.0 - $1.1)) }
    }
    return sum / 2 / Double(max(left.count, 1))
  }

  /// The images on which networks are ranked, and what fp32 says of them.
  private func sample(_ pictures: [Picture]) throws -> (tensors: [Float], answers: [[Float]]) {
    let tensors = try read(pictures.prefix(Self.sample)).numbers
    return (tensors, answers(plain, tensors))
  }

  func result(_ warn: (String) -> Void) throws -> QuantizedNetwork {
    let calibrator = try calibrator(warn)
    let (method, quantization) = try bestRanges(calibrator)
    var result = QuantizedNetwork(quantization: quantization)
    result.calibrated = calibrator.imageCount
    result.method = method
    result.kernels = plain.kernels
    let truth = try plainAnswers()
    (result.checked, result.labelled) = (truth.best.count, truth.labels.count { $0 != nil })
    if label != nil, result.labelled == 0 {
      throw InputError(
        "none of the \(result.checked) images that are compared has a true class, for example "
          + "\(checked.first?.name ?? ""): the paths in the truth are others")
    }
    if result.labelled > 0 { result.top1FP32 = truth.top1(truth.best) }
    var trial = try trial(result.quantization, kept: 0, truth)
    result.trials = [trial]
    if let before = result.top1FP32, isTooLow(trial, before) {
      (result.quantization, result.kept) = try keepingLayers(
        result.quantization, before, truth, &result.trials)
      trial = result.trials[result.trials.count - 1]
    }
    (result.top1Int8, result.changed) = (trial.top1, trial.changed)
    result.layers = result.quantization.inputs.count
    if result.kept.count > result.layers {
      warn("\(result.kept.count) layers are kept in bf16, more than the \(result.layers) that are quantized")
    }
    try measureSpeeds(&result)
    result.skipped = skipped
    return result
  }

  private func calibrator(_ warn: (String) -> Void) throws -> Calibrator {
    let calibrator = try Calibrator(model.graph, model.parameters, kernels: options.kernels)
    var classes: Set<Int> = []
    for start in stride(from: 0, to: calibrating.count, by: Self.batch) {
      let (tensors, pictures) = try read(calibrating[start..<min(start + Self.batch, calibrating.count)])
      try calibrator.add(tensors.span, count: pictures.count)
      count(pictures.count)
      for picture in pictures { if let known = label?(picture.name) { classes.insert(known) } }
    }
    let images = calibrator.imageCount
    guard images > 0 else {
      throw InputError(
        "no image that was to give the ranges could be read"
          + (skipped.first.map { ": \($0.path): \($0.reason)" } ?? ""))
    }
    if images < 100 { warn("only \(images) images give the ranges; some hundred make them reliable") }
    if classes.count == 1, images > 1 {
      warn("all images that give the ranges are of one class; the activations of others may lie outside")
    }
    return calibrator
  }

  private func bestRanges(_ calibrator: Calibrator) throws -> (method: String, Quantization) {
    let methods: [(String, Calibrator.Method)] = [
      ("leastSquares", .leastSquares), ("percentile", .percentile(0.9999)), ("maximum", .maximum),
    ]
    let (tensors, expected) = try sample(calibrating)
    var best: (distance: Double, method: String, quantization: Quantization)?
    for (name, method) in methods {
      let quantization = calibrator.quantization(method)
      let distance = distance(answers(try network(quantization), tensors), expected)
      if distance < best?.distance ?? .infinity { best = (distance, name, quantization) }
    }
    guard let best else { throw InputError("\(model.path): the quantized network answers NaN") }
    return (best.method, best.quantization)
  }

  /// What fp32 says of the images that are compared, and what is true.
  private struct Expectation {
    var names: [String] = []
    var best: [Int] = []
    var labels: [Int?] = []

    /// - Parameter answers: the most probable class of each image.
    func top1(_ answers: [Int]) -> Double {
      let known = zip(answers, labels).filter { $0.1 != nil }
      return Double(known.count { $0.0 == $0.1 }) / Double(max(known.count, 1))
    }
  }

  private func plainAnswers() throws -> Expectation {
    var expectation = Expectation()
    try forEachBatch { tensors, pictures in
      expectation.best += answers(plain, tensors).map(mostProbable)
      for picture in pictures {
        expectation.names.append(picture.name)
        expectation.labels.append(label?(picture.name))
      }
    }
    guard !expectation.best.isEmpty else {
      throw InputError(
        "no image that was to be compared could be read"
          + (skipped.first.map { ": \($0.path): \($0.reason)" } ?? ""))
    }
    return expectation
  }

  private func forEachBatch(_ body: ([Float], [Picture]) throws -> Void) throws {
    for start in stride(from: 0, to: checked.count, by: Self.batch) {
      let (tensors, pictures) = try read(checked[start..<min(start + Self.batch, checked.count)])
      if !pictures.isEmpty { try body(tensors, pictures) }
    }
  }

  private func mostProbable(_ row: [Float]) -> Int {
    row.indices.max { row[$0] < row[$1] || row[$0] == row[$1] && $0 > $1 } ?? 0
  }

  private func trial(
    _ quantization: Quantization, kept: Int, _ truth: Expectation
  ) throws -> QuantizedNetwork.Trial {
    let network = try network(quantization)
    var best: [Int] = []
    var names: [String] = []
    try forEachBatch { tensors, pictures in
      best += answers(network, tensors).map(mostProbable)
      names += pictures.map(\.name)
    }
    guard names == truth.names else { throw InputError("the images changed while they were compared") }
    return QuantizedNetwork.Trial(
      kept: kept, top1: truth.labels.contains { $0 != nil } ? truth.top1(best) : nil,
      changed: zip(best, truth.best).count { $0 != $1 })
  }

  private func isTooLow(_ trial: QuantizedNetwork.Trial, _ before: Double) -> Bool {
    (before - (trial.top1 ?? 0)) * 100 > options.maximumDrop + 1e-9
  }

  /// Keeps as few layers as it takes: first twice as many each time, then half-way back.
  private func keepingLayers(
    _ all: Quantization, _ before: Double, _ truth: Expectation, _ trials: inout [QuantizedNetwork.Trial]
  ) throws -> (Quantization, [QuantizedNetwork.KeptLayer]) {
    let ranking = try ranking(all)
    func attempt(_ count: Int) throws -> (trial: QuantizedNetwork.Trial, quantization: Quantization) {
      var fewer = all
      for layer in ranking.prefix(count) { fewer.inputs[layer.name] = nil }
      let trial = try trial(fewer, kept: count, truth)
      trials.append(trial)
      return (trial, fewer)
    }
    var (failed, count) = (0, 1)
    var best: (trial: QuantizedNetwork.Trial, quantization: Quantization)?
    while best == nil {
      // With every layer kept nothing is quantized.
      guard count < ranking.count else {
        let tried = trials.map { "\($0.kept) kept: \(percent($0.top1 ?? 0))" }.joined(separator: ", ")
        throw InputError(
          "\(model.path) loses more than \(options.maximumDrop) points however many layers stay in bf16: fp32 "
            + "\(percent(before)); \(tried)")
      }
      let found = try attempt(count)
      if isTooLow(found.trial, before) {
        failed = count
        count = failed == ranking.count - 1 ? ranking.count : min(2 * count, ranking.count - 1)
      } else {
        best = found
      }
    }
    while let found = best, found.trial.kept - failed > 1 {
      let middle = try attempt((failed + found.trial.kept) / 2)
      if isTooLow(middle.trial, before) { failed = middle.trial.kept } else { best = middle }
    }
    guard let best else { return (all, []) }
    // The last trial is the result's.
    trials.removeAll { $0.kept == best.trial.kept }
    trials.append(best.trial)
    return (best.quantization, Array(ranking.prefix(best.trial.kept)))
  }

  /// The layers, the one first whose keeping brings the answers nearest to those of fp32.
  private func ranking(_ all: Quantization) throws -> [QuantizedNetwork.KeptLayer] {
    let (tensors, expected) = try sample(checked)
    let whole = distance(answers(try network(all), tensors), expected)
    let names = model.graph.nodes.map(\.name).filter { all.inputs[$0] != nil }
    total += names.count * expected.count
    let layers = try names.map { name in
      try Task.checkCancellation()
      var fewer = all
      fewer.inputs[name] = nil
      return QuantizedNetwork.KeptLayer(
        name: name, gain: whole - distance(answers(try network(fewer), tensors), expected))
    }
    // Equal ones in the order of the network, as a stable sort would leave them.
    return layers.indices.sorted { (layers[$1].gain, $0) < (layers[$0].gain, $1) }.map { layers[$0] }
  }

  /// By turns, so that whatever else the machine does meets both.
  private func measureSpeeds(_ result: inout QuantizedNetwork) throws {
    let narrow = try network(result.quantization)
    let tensors = try read(checked.prefix(Self.batch)).numbers
    let count = tensors.count / preset.count
    guard count > 0 else { return }
    var speeds: (plain: [Double], narrow: [Double]) = ([], [])
    var outputs = [Float](repeating: 0, count: count * plain.outputCount)
    func speed(_ network: Network) -> Double {
      let start = ContinuousClock.now
      var span = outputs.mutableSpan
      network.run(tensors.span, count: count, into: &span)
      return Double(count) / max((.now - start) / .seconds(1), 1e-9)
    }
    _ = (speed(plain), speed(narrow))
    for _ in 0..<5 {
      speeds.plain.append(speed(plain))
      speeds.narrow.append(speed(narrow))
    }
    (result.imagesPerSecondFP32, result.imagesPerSecondInt8) = (median(speeds.plain), median(speeds.narrow))
  }
}

/// "82.41 %"
private func percent(_ share: Double) -> String { "\((share * 10_000).rounded() / 100) %" }

extension QuantizedNetwork {
  /// Writes a model's folder that every reader of models takes: the network and its weights as MXNet writes them,
  /// `classes.txt`, `preprocess.json`, and `quantization.json`.
  ///
  /// - Parameters:
  ///   - folder: must exist.
  ///   - classes: a name for each output; nil: none is written.
  /// - Throws: `FileError` or `ModelError` where a file cannot be written. Until all are written the folder has no symbol,
  ///   and so is no model.
  public func write(_ model: Model, _ preset: Preset, classes: [String]?, to folder: String) throws {
    try writeFile(join(folder, Quantization.fileName), quantization.text(for: model.graph))
    try writeFile(join(folder, "preprocess.json"), JSON.text(preset, style: .line))
    if let classes {
      try writeFile(join(folder, "classes.txt"), classes.joined(separator: "\n") + "\n")
    }
    let writer = ModelWriter(model.symbol, model.graph, folder: folder)
    try writer.writeParameters(model.parameters, epoch: model.epoch)
    try writer.writeNetwork(batch: 1)
  }
}
