/// The attributes of one node, read as MXNet reads them (dmlc/parameter.h, mxnet/tuple.h), but with every value that
/// cannot be computed here refused by name.
struct Attributes {
  private let node: Symbol.Node
  private let label: String

  /// - Parameters:
  ///   - known: the operator's attributes that have a say.
  ///   - ignored: those that change nothing at inference.
  /// - Throws: where the node has another one. Those of all nodes (`__name__`, learning rates, devices) are ignored.
  init(_ node: Symbol.Node, label: String, known: Set<String>, ignored: Set<String> = []) throws(ModelError) {
    self.node = node
    self.label = label
    for key in node.attributes.keys.sorted() {
      guard !known.contains(key), !ignored.contains(key), !isOfAnyNode(key) else { continue }
      throw fault("the attribute \(shown(key)) is not known")
    }
  }

  func fault(_ sentence: String) -> ModelError {
    ModelError("\(label): node \(shown(node.name)) (\(shown(node.operation))): \(sentence)")
  }

  func fault(_ key: String, expected: String) -> ModelError {
    guard let text = node.attributes[key] else {
      return fault("\(key) is not there; \(expected) is expected")
    }
    return fault("\(key) is \(shown(text)); \(expected) is expected")
  }

  /// nil where it is not there, or is Python's None.
  func text(_ key: String) -> String? {
    guard let text = node.attributes[key], text != "None" else { return nil }
    return text
  }

  /// - Parameter standard: the value of an attribute that is not there; nil: it must be there.
  func integer(_ key: String, standard: Int? = nil, in range: ClosedRange<Int>) throws(ModelError) -> Int {
    guard let text = text(key) else {
      if let standard { return standard }
      throw fault(key, expected: "a whole number")
    }
    guard let value = Int(trimmed(text)), range.contains(value) else {
      throw fault(
        key,
        expected: range.count == 1
          ? "\(range.lowerBound)" : "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  func flag(_ key: String, standard: Bool) throws(ModelError) -> Bool {
    guard let text = text(key) else { return standard }
    switch trimmed(text).lowercased() {
    case "true", "1": return true
    case "false", "0": return false
    default: throw fault(key, expected: "True or False")
    }
  }

  func number(_ key: String, standard: Double) throws(ModelError) -> Double {
    guard let text = text(key) else { return standard }
    guard let value = Double(trimmed(text)), value.isFinite, value >= 0 else {
      throw fault(key, expected: "a number, 0 or more,")
    }
    return value
  }

  /// Rows and columns.
  func extent(_ key: String, standard: Int? = nil, in range: ClosedRange<Int>) throws(ModelError) -> Extent {
    let expected =
      range.count == 1
      ? "(\(range.lowerBound), \(range.lowerBound))"
      : "a pair of numbers from \(range.lowerBound) to \(range.upperBound)"
    let tuple = text(key).map { parseTuple($0) ?? [0] } ?? []
    if tuple.isEmpty, let standard { return Extent(rows: standard, columns: standard) }
    guard tuple.count == 2, tuple.allSatisfy(range.contains) else { throw fault(key, expected: expected) }
    return Extent(rows: tuple[0], columns: tuple[1])
  }

  /// - Parameter allowed: what can be computed here; the first is the value of an attribute that is not there.
  func choice(_ key: String, _ allowed: String...) throws(ModelError) -> String {
    guard let text = text(key) else { return allowed[0] }
    guard allowed.contains(text) else { throw fault(key, expected: allowed.joined(separator: " or ")) }
    return text
  }
}

/// Whether every node may have this attribute: MXNet's hidden ones, also as older versions wrote them.
private func isOfAnyNode(_ key: String) -> Bool {
  (key.hasPrefix("__") && key.hasSuffix("__") && key.utf8.count > 4)
    || ["ctx_group", "lr_mult", "wd_mult", "force_mirroring", "mirror_stage"].contains {
      key == $0 || key.hasSuffix("_" + $0)
    }
}

/// "(3, 3)", "(3,3)", "[3, 3]", "(3L, 3L)", "(3,)", "3"; empty for "()". nil for what is no such thing.
func parseTuple(_ text: String) -> [Int]? {
  var body = trimmed(text)[...]
  if let first = body.first, first == "(" || first == "[" {
    guard body.count >= 2, body.last == (first == "(" ? ")" : "]") else { return nil }
    body = body.dropFirst().dropLast()
  } else if body.isEmpty {
    return nil
  }
  var parts = body.split(separator: ",", omittingEmptySubsequences: false).map { trimmed(String($0)) }
  if parts.last == "" { parts.removeLast() }
  guard parts.count <= 32 else { return nil }
  var numbers: [Int] = []
  for part in parts {
    // Python 2 wrote long integers so.
    guard let number = Int(part.hasSuffix("L") ? String(part.dropLast()) : part) else { return nil }
    numbers.append(number)
  }
  return numbers
}

private func trimmed(_ text: String) -> String {
  let blanks: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r" }
  guard let last = text.lastIndex(where: { !blanks($0) }) else { return "" }
  return String(text[...last].drop(while: blanks))
}
