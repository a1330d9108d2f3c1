import ArgumentParser
import Encodings
import Files
import Imaging
import Inference
import Models
import Networks
import Predictions
import Reporting
import Terminal

struct QuantizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quantize",
    abstract: "Make a model that computes with 8-bit whole numbers.",
    discussion: """
      The ranges of the numbers come from some of the images; the others show what
      is lost. With --truth, layers stay in bf16, those that hurt most first, until
      at most --max-drop points of top-1 are lost.
      EXAMPLE: imrec quantize model/ small/ --images photos/ --truth photos/
      then: imrec predict small/ dog.jpg
      """)

  @Argument(help: "The model: a folder, an archive, or a .safetensors or .onnx file.")
  var model: String
  @Argument(help: "The folder for the quantized model; created if needed.")
  var outputFolder: String
  @Option(help: "Images like those that the model will see: a folder, a .lst, a .rec, or a manifest.")
  var images: String
  @Option(
    help: ArgumentHelp(
      "The folder that the paths in a .lst are relative to. (default: its own)", valueName: "folder"))
  var root: String?
  @Option(help: "The true classes: a .lst, a .rec, a folder of class folders, a CSV or JSON lines.")
  var truth: String?
  @Option(
    name: .customLong("max-drop"),
    help: ArgumentHelp("With --truth: points of top-1 that may be lost.", valueName: "points"))
  var maximumDrop = 0.3
  @Option(
    help: ArgumentHelp("The most images that give the ranges. (default: 300)", valueName: "count"),
    transform: wholeNumber(1...100_000))
  var calibrationImages = 300
  @Option(
    help: ArgumentHelp(
      "The most images that are compared. (default: 5000)", valueName: "count", visibility: .rare),
    transform: wholeNumber(1...10_000_000))
  var checkImages = 5000
  @Option(
    help: ArgumentHelp("Decides which images give the ranges.", valueName: "number", visibility: .rare))
  var seed = 100
  @Option(
    help: ArgumentHelp(
      "Also write an ONNX graph in QDQ form, for ONNX Runtime and OpenVINO.", valueName: "file"))
  var onnx: String?
  @Flag(help: "Replace a model that is in the folder.")
  var overwrite = false
  @OptionGroup(title: "Model") var options: ModelOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    guard (0...100).contains(maximumDrop) else {
      throw ValidationError("--max-drop is \(maximumDrop); points from 0 to 100 are expected")
    }
    if options.engine.engine == .reference {
      throw ValidationError("the reference engine has no whole numbers; --engine is fast for quantize")
    }
    if let precision = options.engine.chosenPrecision, precision != .int8 {
      throw ValidationError("quantize makes a model of int8; --precision \(precision) says something else")
    }
  }

  func run() throws {
    let words = output.words
    try checkFolder()
    try checkOutput(onnx, inputs: [model, images, truth], verb: "quantize")
    let images = try TransformInput(images, root: root, verb: "quantize")
    let (model, preset, classes) = try options.parts(model, words: words)
    let labels = try labels(classes)
    var settings = QuantizationOptions()
    settings.calibrationCount = calibrationImages
    settings.checkCount = checkImages
    settings.maximumDrop = maximumDrop
    settings.seed = seed
    settings.threads = options.engine.threads.count
    settings.kernels = options.engine.kernels
    settings.decoding.maximumPixelCount = options.maximumPixelCount ?? settings.decoding.maximumPixelCount
    let display = ProgressDisplay(unit: "runs", quiet: output.quiet)
    let result: QuantizedNetwork
    do {
      result = try quantize(
        model, preset, images, options: settings, label: labels.map { labels in { labels[ByteName($0)] } },
        warn: { words.warn(printable($0)) },
        progress: { done, total in
          display.update(done: done, total: total, skipped: 0, fraction: Double(done) / Double(max(1, total)))
        })
    } catch is CancellationError {
      throw StoppedRun(remedy: "Nothing was written.")
    }
    display.finish()
    try makeFolder(outputFolder)
    if overwrite { try removeModelFiles(in: outputFolder) }
    try result.write(model, preset, classes: classes, to: outputFolder)
    if let onnx {
      try ONNXGraph(model.graph, model.parameters, fusedWith: result.quantization).write(
        onnx, metadata: metadata(preset, classes), version: Imrec.configuration.version)
      words.note("written: \(printable(onnx))")
    }
    words.skipped(result.skipped)
    try output.finish(result, skippedCount: result.skipped.count) { text(result) }
  }

  /// What a reader of the ONNX file needs to know beside the graph.
  private func metadata(_ preset: Preset, _ classes: [String]?) throws -> [(key: String, value: String)] {
    var pairs = [(key: "preprocess", value: try JSON.text(preset, style: .line))]
    if let classes { pairs.append(("classes", try JSON.text(classes, style: .line))) }
    return pairs
  }

  /// Refuses a folder that has files, unless they may be replaced.
  private func checkFolder() throws {
    if isSameFile(model, outputFolder) {
      throw WrongUsage("the quantized model would overwrite the model \(model)", verb: "quantize")
    }
    guard !overwrite, isFolder(outputFolder) else { return }
    if let first = try entryNames(ofFolder: outputFolder).first {
      throw WrongUsage(
        "\(outputFolder) is not empty (\(first)); name another folder, or replace its model with --overwrite",
        verb: "quantize")
    }
  }

  /// The label of each image that the truth names; nil without a truth.
  private func labels(_ classes: [String]?) throws -> [ByteName: Int]? {
    guard let truth else { return nil }
    let read = try Truth(truth, classes: classes.map { (names) throws(TruthError) in try ClassList(names) })
    for sentence in read.passedOver { output.words.warn("truth: \(printable(sentence))") }
    output.words.listed("truth", read.rejections.map { ($0.path, $0.reason) })
    if classes == nil, read.classes != nil {
      output.words.warn(
        "the model has no class names; the classes of \(printable(truth)) are taken in alphabetical order (--classes gives them)"
      )
    }
    return read.labelsByName()
  }

  private func text(_ result: QuantizedNetwork) -> String {
    var lines = [
      "\(printable(outputFolder)): \(counted(result.layers, "layer")) in int8"
        + (result.kept.isEmpty ? "" : ", \(result.kept.count) in bf16")
        + "; ranges (\(result.method)) from \(counted(result.calibrated, "image"))"
    ]
    if !result.kept.isEmpty {
      lines.append("  kept in bf16: \(shortList(result.kept.map { printable($0.name) }, limit: 8))")
    }
    for trial in result.trials.dropLast() {
      let top1 = trial.top1.map { "\(decimalText($0 * 100, 2)) %" } ?? ""
      lines.append("  with \(trial.kept) kept: top-1 \(top1), \(counted(trial.changed, "answer")) changed")
    }
    if let before = result.top1FP32, let after = result.top1Int8, let drop = result.drop {
      lines.append(
        "  top-1 of \(counted(result.labelled, "other image")): \(decimalText(before * 100, 2)) % in fp32, "
          + "\(decimalText(after * 100, 2)) % in int8: "
          + (drop > 0
            ? "\(decimalText(drop, 2)) points lost"
            : drop < 0 ? "\(decimalText(-drop, 2)) points won" : "nothing lost"))
    }
    lines.append(
      "  the most probable class is another for \(result.changed) of \(counted(result.checked, "other image")) "
        + "(\(decimalText(Double(result.changed) / Double(max(1, result.checked)) * 100, 2)) %)")
    lines.append(
      "  network alone, batch 32: \(oneDecimal(result.imagesPerSecondFP32)) images/s in fp32, "
        + "\(oneDecimal(result.imagesPerSecondInt8)) in int8 "
        + "(\(decimalText(result.imagesPerSecondInt8 / max(result.imagesPerSecondFP32, 1e-9), 2)) times; "
        + "\(counted(options.engine.threads.count, "thread")), \(result.kernels) kernels)")
    return lines.joined(separator: "\n") + "\n"
  }
}
