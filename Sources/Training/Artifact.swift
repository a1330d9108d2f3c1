import Encodings
import Files
import Foundation
import Glibc
public import Imaging
public import Models

/// The folder of a trained model, as SageMaker's algorithm leaves it: `image-classification-symbol.json`,
/// `image-classification-NNNN.params`, `model-shapes.json`; and ours: `classes.txt` and `preprocess.json`.
///
/// Each file gets its name when it is whole. The parameters of a former run go when this one's first stand.
public final class Artifact {
  public let folder: String
  private let writer: ModelWriter
  private let network: ResNet
  private let batch: Int
  private let classes: [String]?
  private let preset: Preset
  private var hasWrittenNetwork = false
  /// The parameters' files of this run.
  private var written: Set<String>

  public static let stem = "image-classification"
  public static let archiveName = "model.tar.gz"

  /// - Parameters:
  ///   - folder: made where it is not there.
  ///   - classes: names in the order of the outputs; nil: no `classes.txt`.
  ///   - preset: how an image is prepared for this network when it is used.
  ///   - isResumed: the parameters that stand there are this training's.
  public init(
    _ network: ResNet, folder: String, batch: Int, classes: [String]?, preset: Preset, isResumed: Bool = false
  ) throws {
    try makeFolder(folder)
    self.folder = folder
    self.network = network
    self.batch = batch
    self.classes = classes
    self.preset = preset
    writer = ModelWriter(network.symbol, try network.graph, folder: folder, stem: Self.stem)
    written = isResumed ? Set(Self.parameterNames(in: folder)) : []
  }

  /// Where the model of an epoch, counted from 1, stands if it was stored.
  func path(epoch: Int) -> String? {
    let path = writer.parametersPath(epoch: epoch)
    return FileStamp(path: path) == nil ? nil : path
  }

  /// Writes the model of an epoch.
  ///
  /// - Parameters:
  ///   - epoch: from 1.
  ///   - isOnly: the others of this run go.
  /// - Returns: the path of its parameters.
  public func store(_ parameters: Parameters, epoch: Int, isOnly: Bool) throws -> String {
    if !hasWrittenNetwork { try writeNetwork() }
    let path = try writer.writeParameters(parameters, epoch: epoch)
    if isOnly { written = [] }
    written.insert(baseName(path))
    // Only now: a run that ends between the two leaves a model too many, not one too few.
    for name in Self.parameterNames(in: folder) where !written.contains(name) {
      unsafe unlink(join(folder, name))
    }
    return path
  }

  private func writeNetwork() throws {
    try writer.writeNetwork(batch: batch)
    let classesPath = join(folder, "classes.txt")
    if let classes {
      try writeFile(classesPath, classes.map { $0 + "\n" }.joined())
    } else {
      // Of a former run, perhaps of other classes.
      unsafe unlink(classesPath)
    }
    try writeFile(join(folder, "preprocess.json"), JSON.text(preset, style: .line))
    hasWrittenNetwork = true
  }

  /// Writes `model.tar.gz` into the folder: the model's files, flat, the same bytes for the same files.
  ///
  /// - Returns: its path.
  public func archive() throws(ModelError) -> String {
    let others = ["\(Self.stem)-symbol.json", "model-shapes.json", "classes.txt", "preprocess.json"]
    let files = (Self.parameterNames(in: folder) + others).map { join(folder, $0) }
    let path = join(folder, Self.archiveName)
    try writeModelArchive(path, files: files.filter { FileStamp(path: $0) != nil })
    return path
  }

  /// `image-classification-NNNN.params` that stand in a folder, sorted.
  static func parameterNames(in folder: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { name in
      guard name.hasPrefix(stem + "-"), name.hasSuffix(".params") else { return false }
      let digits = name.dropFirst(stem.count + 1).dropLast(".params".count)
      return digits.utf8.count >= 4 && digits.utf8.allSatisfy { (48...57).contains($0) }
    }.sorted()
  }
}
