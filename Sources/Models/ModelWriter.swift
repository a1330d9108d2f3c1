import CArchive
import Files
import Glibc

/// Writes a model's files as MXNet's `save_checkpoint` and SageMaker name them: `STEM-symbol.json`,
/// `STEM-NNNN.params`, `model-shapes.json`. Each file appears under its name when it is complete.
public struct ModelWriter: Sendable {
  /// The folder that the files go to.
  public let folder: String
  /// What the files' names begin with.
  public let stem: String
  private let symbol: Symbol
  private let graph: Graph
  /// The shape of each of the graph's parameters.
  private let shapes: [String: [Int]]

  /// - Parameters:
  ///   - graph: the symbol's graph.
  ///   - folder: must exist.
  public init(_ symbol: Symbol, _ graph: Graph, folder: String, stem: String = "image-classification") {
    self.symbol = symbol
    self.graph = graph
    self.folder = folder
    self.stem = stem
    shapes = Dictionary(graph.parameters.map { ($0.name, $0.shape) }, uniquingKeysWith: { first, _ in first })
  }

  /// Writes the symbol and the shape of the images.
  ///
  /// - Parameter batch: the batch size in `model-shapes.json`; readers use their own.
  /// - Throws: where a file cannot be written; its path then keeps what it held.
  public func writeNetwork(batch: Int) throws(ModelError) {
    let shape = ([batch] + graph.inputShape).map(String.init).joined(separator: ", ")
    do {
      try writeFile(join(folder, stem + "-symbol.json"), symbol.json)
      try writeFile(
        join(folder, CheckpointFiles.shapesName), "[{\"name\": \"data\", \"shape\": [\(shape)]}]\n")
    } catch { throw ModelError(error) }
  }

  /// The path of an epoch's parameters; epochs count from 1.
  public func parametersPath(epoch: Int) -> String {
    join(folder, "\(stem)-\(epochDigits(epoch)).params")
  }

  /// Writes all arrays that MXNet expects, in its order: `arg:` first, then the moving statistics as `aux:`. A fixed
  /// gamma, which no layer reads, is written as ones.
  ///
  /// - Throws: where a parameter of the graph is missing, or the disk is full; the path then keeps what it held.
  /// - Returns: the file's path.
  @discardableResult
  public func writeParameters(_ parameters: Parameters, epoch: Int) throws(ModelError) -> String {
    let path = parametersPath(epoch: epoch)
    let names = arrayNames
    try ParameterWriter.write(path, names.map(\.key)) { (index) throws(ModelError) in
      try array(names[index].name, parameters)
    }
    return path
  }

  private func array(_ name: String, _ parameters: Parameters) throws(ModelError) -> Parameters.Array {
    if let shape = shapes[name] {
      return Parameters.Array(shape: shape, values: try parameters.values(of: name))
    }
    let count = shapes[name.dropLast("gamma".count) + "beta"]?.first ?? 1
    return Parameters.Array(shape: [count], values: [Float](repeating: 1, count: count))
  }

  /// The variables in the order of the symbol with MXNet's prefixes, without the image and the label.
  private var arrayNames: [(name: String, key: String)] {
    let moving = Set(
      graph.parameters.filter { $0.role == .mean || $0.role == .variance }.map(\.name))
    let names = symbol.nodes.filter { node in
      node.isVariable && (shapes[node.name] != nil || node.name.hasSuffix("_gamma"))
    }.map(\.name)
    return names.filter { !moving.contains($0) }.map { ($0, "arg:" + $0) }
      + names.filter(moving.contains).map { ($0, "aux:" + $0) }
  }
}

/// Writes a `model.tar.gz` as SageMaker expects it: the files flat at the root. The same files give the same bytes: times
/// are 0, owners are 0, modes are 644.
///
/// - Parameters:
///   - path: the archive appears here when it is complete.
///   - files: paths, in the order of the archive; the archive names each by its last component.
/// - Throws: where a file cannot be read or changes meanwhile, or the disk is full; the path then keeps what it held.
public func writeModelArchive(_ path: String, files: [String]) throws(ModelError) {
  let sink = try ArchiveSink(path)
  do throws(ModelError) {
    try write(files, to: sink, path: path)
    try sink.publish()
  } catch {
    sink.discard()
    throw error
  }
}

private func write(_ files: [String], to sink: ArchiveSink, path: String) throws(ModelError) {
  guard let archive = unsafe archive_write_new() else { throw ModelError("\(path): out of memory") }
  defer { unsafe archive_write_free(archive) }
  func check(_ status: Int32) throws(ModelError) {
    guard status < ARCHIVE_WARN else { return }
    if let failure = sink.failure { throw failure }
    let text = unsafe archive_error_string(archive).map { unsafe String(cString: $0) }
    throw ModelError("\(path): the archive cannot be written: \(text ?? "error \(status)")")
  }
  try unsafe check(archive_write_set_format_ustar(archive))
  try unsafe check(archive_write_add_filter_gzip(archive))
  // Otherwise gzip's header holds the time of writing.
  try unsafe check(archive_write_set_options(archive, "gzip:!timestamp,gzip:compression-level=6"))
  try unsafe check(
    archive_write_open(
      archive, Unmanaged.passUnretained(sink).toOpaque(), nil,
      { _, sink, bytes, count in
        guard let sink = unsafe sink, let bytes = unsafe bytes else { return -1 }
        let span = unsafe Span<UInt8>(
          _unsafeElements: UnsafeBufferPointer(
            start: bytes.assumingMemoryBound(to: UInt8.self), count: count))
        return unsafe Unmanaged<ArchiveSink>.fromOpaque(sink).takeUnretainedValue().append(span) ? count : -1
      }, nil))
  for file in files { try unsafe add(file, archive, check) }
  try unsafe check(archive_write_close(archive))
}

private func add(
  _ path: String, _ archive: OpaquePointer, _ check: (Int32) throws(ModelError) -> Void
) throws(ModelError) {
  let file = try openFile(path)
  guard let entry = unsafe archive_entry_new() else { throw ModelError("\(path): out of memory") }
  defer { unsafe archive_entry_free(entry) }
  unsafe archive_entry_set_pathname(entry, baseName(path))
  unsafe archive_entry_set_filetype(entry, S_IFREG)
  unsafe archive_entry_set_perm(entry, 0o644)
  unsafe archive_entry_set_size(entry, Int64(file.byteCount))
  unsafe archive_entry_set_mtime(entry, 0, 0)
  try unsafe check(archive_write_header(archive, entry))
  var block = [UInt8](repeating: 0, count: 1 << 18)
  var done = 0
  while done < file.byteCount {
    let got: Int
    do {
      var span = block.mutableSpan
      var raw = unsafe span.mutableBytes
      got = try file.read(at: done, into: &raw)
    } catch { throw ModelError(error) }
    guard got > 0 else { break }
    let wanted = min(got, file.byteCount - done)
    let written = unsafe block.withUnsafeBytes { unsafe archive_write_data(archive, $0.baseAddress, wanted) }
    if written < 0 { try check(Int32(clamping: written)) }
    guard written == wanted else { throw ModelError("\(path): it cannot be written into the archive") }
    done += wanted
  }
  guard done == file.byteCount, file.isUnchanged() else {
    throw ModelError("\(path): it was changed while it was being read")
  }
}

/// Receives the archive's bytes from libarchive's callback.
private final class ArchiveSink {
  private var file: StagedFile?
  private(set) var failure: ModelError?

  init(_ path: String) throws(ModelError) {
    do { file = try StagedFile(path) } catch { throw ModelError(error) }
  }

  /// - Returns: whether the bytes could be written; `failure` says why not.
  func append(_ bytes: Span<UInt8>) -> Bool {
    do throws(FileError) {
      try file?.append(bytes)
      return true
    } catch {
      failure = ModelError(error)
      return false
    }
  }

  func publish() throws(ModelError) {
    guard let file = file.take() else { return }
    do { try file.publish() } catch { throw ModelError(error) }
  }

  func discard() { if let file = file.take() { file.discard() } }
}
