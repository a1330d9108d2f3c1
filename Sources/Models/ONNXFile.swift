import Files

/// A `.onnx` file as it is (onnx/onnx.proto): nodes, arrays and inputs. Nothing is said yet about what they compute.
/// The numbers of the arrays are not read.
struct ONNXFile {
  struct Node {
    let operation: String
    /// Not empty: that of its first output where it has none itself.
    let name: String
    /// An empty name stands for an input that is left out.
    let inputs: [String], outputs: [String]
    let attributes: [String: Attribute]
  }
  enum Attribute {
    case number(Float)
    case integer(Int)
    case integers([Int])
    case text(String)
    case array(Array)
    /// Of a type that no operator of a ResNet asks for.
    case other
  }
  struct Array {
    enum Content {
      case numbers(NumberKind, offset: Int)
      /// At most `largestIntegerCount` of them: shapes and axes. nil is the number of images of a run.
      case integers([Int?])
      /// Of a type that no operator of a ResNet asks for.
      case other
    }
    let name: String
    let shape: [Int]
    let content: Content
  }
  struct Input {
    let name: String
    /// A number of `types`.
    let type: Int
    /// nil where a size is open; empty where there is no shape.
    let shape: [Int?]
  }
  var nodes: [Node] = []
  var arrays: [Array] = []
  /// Without those that are arrays with a name of their own.
  var inputs: [Input] = []
  var outputs: [String] = []
  /// The version of the operators.
  var version = 0

  /// int32, int64, bool.
  static let integerByteCounts = [6: 4, 7: 8, 9: 1]
  static let largestIntegerCount = 64
  static let largestInputCount = 1024

  /// onnx.proto's TensorProto.DataType.
  static let types = [
    "undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16",
    "double", "uint32", "uint64", "complex64", "complex128", "bfloat16",
  ]

  static func typeName(_ type: Int) -> String {
    types.indices.contains(type) ? types[type] : "numbers of type \(type)"
  }

  static func numberKind(_ type: Int) -> NumberKind? {
    switch type {
    case 1: .float32
    case 10: .float16
    case 11: .float64
    case 16: .bfloat16
    default: nil
    }
  }

  /// - Throws: with the byte offset, where the file is no such message or is cut short; where an array stands in another
  ///   file, does not have the bytes of its shape, or a name stands twice.
  init(_ file: borrowing InputFile, label: String) throws(ModelError) {
    var reader = ONNXReader(WireCursor(file, label: label))
    try reader.readModel(file)
    self = reader.found
    let names = Set(arrays.map(\.name))
    inputs.removeAll { names.contains($0.name) }
  }

  /// Nothing yet.
  init() {}

  /// Channels, height, width of an image, where the file says them; nil of each that is open.
  ///
  /// - Throws: where the network is not one of images.
  func imageShape(label: String) throws(ModelError) -> [Int?] {
    guard inputs.count == 1, let image = inputs.first else {
      throw ModelError(
        "\(label): it takes \(inputs.count) inputs (\(shown(inputs.map(\.name)))); one, the image, is expected"
      )
    }
    guard [1, 10, 11, 16].contains(image.type) else {
      throw ModelError(
        "\(label): the input \(shown(image.name)) is \(Self.typeName(image.type)); float is expected")
    }
    guard image.shape.count == 4 else {
      throw ModelError(
        "\(label): the input \(shown(image.name)) has \(image.shape.count) dimensions; batch, channels, height and "
          + "width are expected")
    }
    return [Int?](image.shape.dropFirst())
  }
}
