/// Labels as a text has them, numbers or names, until it is known which they are.
struct NamedLabels {
  private let classes: ClassList?
  /// By number of first appearance.
  private var texts: [[UInt8]] = []
  private var numbers: [[UInt8]: Int32] = [:]

  init(_ classes: ClassList?) { self.classes = classes }

  /// A number that stands for the text until `resolve`.
  mutating func add(_ text: [UInt8]) -> Int32 {
    if let number = numbers[text] { return number }
    let number = Int32(truncatingIfNeeded: texts.count)
    texts.append(text)
    numbers[text] = number
    return number
  }

  /// The label of each text, by its number, `nil` where there is no such class; and the class list, if there is one.
  ///
  /// A name of the class list goes first. Else whole numbers are labels; texts of which one is no number are names,
  /// and their list, where none was given, is all of them sorted by code point.
  func resolve() throws(TruthError) -> (labels: [Int32?], classes: ClassList?) {
    var classes = classes
    if classes == nil && !texts.allSatisfy({ label($0) != nil }) {
      let names = texts.filter { String(validating: $0, as: UTF8.self) != nil && !$0.isEmpty }
        .sorted { $0.lexicographicallyPrecedes($1) }
      classes = try ClassList(names.map { String(decoding: $0, as: UTF8.self) })
      return (texts.map { text in classes?.label(of: text).map { Int32($0) } }, classes)
    }
    let limit = classes?.count ?? PredictionParser.largestLabel + 1
    let labels = texts.map { text -> Int32? in
      if let label = classes?.label(of: text) { return Int32(label) }
      return label(text).flatMap { $0 < limit ? Int32($0) : nil }
    }
    return (labels, classes)
  }

  func text(_ number: Int32) -> String { shown(texts[Int(number)].prefix(200)) }

  /// The whole number that a text is, "3" or "3.0".
  private func label(_ text: [UInt8]) -> Int? {
    if let whole = wholeNumber(text) { return whole }
    var scanner = JSONScanner()
    guard let value = try? scanner.number(text.span), scanner.cursor == text.count, value >= 0 else {
      return nil
    }
    return Int(exactly: value)
  }
}
