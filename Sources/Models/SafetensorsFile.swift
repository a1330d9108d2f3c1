import Encodings
import Files

/// A `.safetensors` file: u64 length, a JSON object of that length, then the arrays one after the other.
/// `{"name": {"dtype": "F32", "shape": [64, 3, 7, 7], "data_offsets": [begin, end]}, "__metadata__": {...}}`
enum SafetensorsFile {
  private static let largestHeaderByteCount = 16 << 20

  /// The arrays of a file. PyTorch's `num_batches_tracked` are left out.
  ///
  /// - Throws: with the place, where the header is not such an object, or the arrays do not fill the rest of the file;
  ///   where an array is of another type than F32, F64, F16 and BF16.
  static func entries(
    of file: borrowing InputFile, label: String
  ) throws(ModelError) -> [String: ArrayFile.Entry] {
    var cursor = FileCursor(file, label: label)
    let byteCount = try cursor.integer(UInt64.self, "the length of the header", file)
    guard byteCount <= largestHeaderByteCount else {
      throw cursor.fault(
        "the header has \(byteCount) bytes; at most \(largestHeaderByteCount) are expected", at: 0)
    }
    let json = try cursor.bytes(Int(byteCount), "the header", file)
    let header: Header
    do throws(JSONError) { header = try JSON.decode(Header.self, from: Array(json)) } catch {
      throw ModelError("\(label): the header: \(error)")
    }
    var entries: [String: ArrayFile.Entry] = [:]
    var end = 0
    for (name, array) in header.arrays.sorted(by: { ($0.value.start, $0.key) < ($1.value.start, $1.key) }) {
      let fault = { (sentence: String) in ModelError("\(label): \(shown(name)) \(sentence)") }
      guard array.dataOffsets.count == 2, array.start == end, array.dataOffsets[1] >= end else {
        throw fault("lies at \(array.dataOffsets.prefix(8)); it is expected to begin at \(end)")
      }
      let (start, size) = (end, array.dataOffsets[1] - end)
      try cursor.skip(size, of: shown(name))
      end = array.dataOffsets[1]
      if name.hasSuffix("num_batches_tracked") { continue }
      guard let type = elementType(array.dtype) else {
        throw fault("holds \(shown(array.dtype)); F32, F64, F16 or BF16 is expected")
      }
      guard !array.shape.isEmpty, array.shape.count <= 32, array.shape.allSatisfy({ $0 >= 1 }),
        let count = checkedProduct(array.shape), checkedProduct([count, type.byteCount]) == size
      else {
        throw fault("has \(size) bytes, which does not match its shape, \(array.shape.prefix(8))")
      }
      let offset = 8 + Int(byteCount) + start
      entries[name] = ArrayFile.Entry(shape: array.shape, type: type, offset: offset, count: count)
    }
    guard cursor.left == 0 else {
      throw cursor.fault("\(cursor.left) bytes follow the last array; the end of the file is expected")
    }
    return entries
  }

  private static func elementType(_ name: String) -> ElementType? {
    switch name {
    case "F32": .float32
    case "F64": .float64
    case "F16": .float16
    case "BF16": .bfloat16
    default: nil
    }
  }

  private struct Header: Decodable {
    struct Array: Decodable {
      let dtype: String
      let shape: [Int]
      let dataOffsets: [Int]

      enum CodingKeys: String, CodingKey {
        case dtype, shape
        case dataOffsets = "data_offsets"
      }

      var start: Int { dataOffsets.first ?? -1 }
    }
    struct Name: CodingKey {
      let stringValue: String
      init(stringValue: String) { self.stringValue = stringValue }
      var intValue: Int? { nil }
      init?(intValue: Int) { nil }
    }
    let arrays: [String: Array]

    init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: Name.self)
      var arrays: [String: Array] = [:]
      for key in values.allKeys where key.stringValue != "__metadata__" {
        arrays[key.stringValue] = try values.decode(Array.self, forKey: key)
      }
      self.arrays = arrays
    }
  }
}
