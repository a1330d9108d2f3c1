import Files

/// What is wrong with a model, in a sentence: what, where (file, byte offset, node, attribute), what was expected.
public struct ModelError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String

  /// - Parameter description: may quote names from a file; what a terminal would obey is escaped here.
  public init(_ description: String) {
    guard description.unicodeScalars.contains(where: Self.isControl) else {
      self.description = description
      return
    }
    self.description = description.unicodeScalars.reduce(into: "") { text, scalar in
      text += Self.isControl(scalar) ? scalar.escaped(asASCII: true) : String(scalar)
    }
  }

  init(_ error: FileError) { self.init(error.description) }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
  }
}

/// A name from a file for a message: the start of it where it is long.
func shown(_ name: String) -> String {
  name.utf8.count <= 120 ? name : String(name.prefix(100)) + "..."
}

/// The first names of a list for a message.
func shown(_ names: [String]) -> String {
  names.prefix(5).map(shown).joined(separator: ", ") + (names.count > 5 ? ", ..." : "")
}

/// A shape as Python writes it: (3, 224, 224).
func shown(_ shape: [Int]) -> String {
  shape.count == 1 ? "(\(shape[0]),)" : "(" + shape.map(String.init).joined(separator: ", ") + ")"
}

/// The product of counts that a file names; nil where it is beyond what an Int holds.
func checkedProduct(_ factors: some Sequence<Int>) -> Int? {
  var product = 1
  for factor in factors {
    let (next, overflow) = product.multipliedReportingOverflow(by: factor)
    if overflow { return nil }
    product = next
  }
  return product
}
