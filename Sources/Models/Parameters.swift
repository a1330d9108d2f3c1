import Files

/// The arrays of a model by name, without MXNet's `arg:` and `aux:`; converted to single precision when they are read.
public struct Parameters: Sendable {
  /// One array in memory, row-major.
  public struct Array: Hashable, Sendable {
    public let shape: [Int]
    public let values: [Float]

    public init(shape: [Int], values: [Float]) {
      self.shape = shape
      self.values = values
    }
  }
  private enum Storage {
    case memory([String: Array])
    case file(ArrayFile)
  }
  private let storage: Storage

  /// Arrays that are in memory already.
  public init(_ arrays: [String: Array]) { storage = .memory(arrays) }

  /// MXNet's `.params`. The file stays open: its arrays are read when they are asked for.
  ///
  /// - Throws: with the byte offset, where the file is no such list, is cut short or goes on behind it, where an array is
  ///   sparse, empty, of a type other than float32, float64 and float16, or where a name stands twice.
  /// - Complexity: O(arrays); the numbers are not read.
  public init(file path: String) throws(ModelError) {
    self.init(try ParameterFile.open(try openFile(path), label: path))
  }

  init(_ file: ArrayFile) { storage = .file(file) }

  public var names: [String] {
    switch storage {
    case .memory(let arrays): arrays.keys.sorted()
    case .file(let file): file.entries.keys.sorted()
    }
  }

  /// nil where there is no such array.
  public func shape(of name: String) -> [Int]? {
    switch storage {
    case .memory(let arrays): arrays[name]?.shape
    case .file(let file): file.entries[name]?.shape
    }
  }

  /// The numbers of one array; read from the file anew each time, so that a model is in memory once only.
  ///
  /// - Throws: where there is no such array, or the file cannot be read any more or was changed.
  public func values(of name: String) throws(ModelError) -> [Float] {
    switch storage {
    case .memory(let arrays): if let array = arrays[name] { return array.values }
    case .file(let file): if let entry = file.entries[name] { return try file.values(of: entry) }
    }
    throw ModelError("there is no parameter \(shown(name))")
  }

  /// All arrays, read.
  public func arraysInMemory() throws(ModelError) -> [String: Array] {
    var arrays: [String: Array] = [:]
    for name in names {
      arrays[name] = Array(shape: shape(of: name) ?? [], values: try values(of: name))
    }
    return arrays
  }

  /// The arrays with a number that is NaN or infinite, by name: a network with one may answer NaN to every image.
  ///
  /// - Complexity: reads every number.
  public func namesOfNotFinite() throws(ModelError) -> [String] {
    var found: [String] = []
    for name in names where try values(of: name).contains(where: { !$0.isFinite }) { found.append(name) }
    return found
  }
}

func openFile(_ path: String) throws(ModelError) -> InputFile {
  do { return try InputFile(path) } catch { throw ModelError(error) }
}
