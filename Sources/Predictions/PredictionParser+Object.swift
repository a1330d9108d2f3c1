extension PredictionParser {
  /// What was found in an object so far.
  private struct Findings {
    /// Bits of the keys met.
    var seen: UInt64 = 0
    var content: PredictionContent?
    /// Of `content` or of `fault`; the highest wins.
    var rank = 0
    /// The value under the best key is no prediction.
    var fault: PredictionFault?
    /// Where a label stands that counts if nothing better comes.
    var labelStart: Int?
    var labelRank = 0
  }

  /// Reads an object: its prediction, and what it says of the image's name.
  ///
  /// Probabilities go before a chosen class, and that before a mere class, which may be the truth of a joined input;
  /// what batch transform joined to an input goes before all.
  mutating func object(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner) throws(PredictionFault)
    -> PredictionContent
  {
    var findings = Findings()
    try members(bytes, &scanner) { (parser, key, scanner) throws(PredictionFault) in
      guard findings.seen & key.bit == 0 else {
        throw PredictionFault(.json(JSONFault(.repeatedKey(shown(parser.word)), offset: scanner.cursor)))
      }
      findings.seen |= key.bit
      switch key.role {
      case .name(let rank): try parser.readName(rank: rank, bytes, &scanner)
      case .joinedInput: try parser.readJoinedName(bytes, &scanner)
      case .joinedOutput:
        try parser.take(3, &findings, bytes, &scanner) { (parser, scanner) throws(PredictionFault) in
          guard parser.joinDepth < Self.maximumJoinDepth else {
            throw PredictionFault(.json(JSONFault(.tooDeep, offset: scanner.cursor)))
          }
          parser.joinDepth += 1
          defer { parser.joinDepth -= 1 }
          return try parser.content(bytes, &scanner)
        }
      case .probabilities(let mayBeLabel):
        try parser.take(2, &findings, bytes, &scanner) { (parser, scanner) throws(PredictionFault) in
          if scanner.peek(bytes) == UInt8(ascii: "[") { return try parser.row(bytes, &scanner) }
          guard mayBeLabel else {
            throw PredictionFault(.json(scanner.fault("an array of probabilities", bytes)))
          }
          return try parser.label(bytes, &scanner, expecting: "an array of probabilities or a label")
        }
      case .predictedLabel, .label:
        let rank = key.role == .label ? 1 : 2
        if rank > findings.labelRank { (findings.labelStart, findings.labelRank) = (scanner.cursor, rank) }
        try parser.skip(bytes, &scanner)
      }
    }
    if let fault = findings.fault { throw fault }
    if let content = findings.content { return content }
    guard let start = findings.labelStart else { throw PredictionFault(.noPrediction) }
    var there = JSONScanner(at: start)
    return try label(bytes, &there, expecting: "a label")
  }

  /// Reads the value at the cursor with `read` if its rank is higher than what was found, else passes over it.
  ///
  /// A value that is no prediction is passed over too, so that a name behind it is found.
  private mutating func take(
    _ rank: Int, _ findings: inout Findings, _ bytes: Span<UInt8>, _ scanner: inout JSONScanner,
    _ read: (inout PredictionParser, inout JSONScanner) throws(PredictionFault) -> PredictionContent
  ) throws(PredictionFault) {
    guard rank > findings.rank else { return try skip(bytes, &scanner) }
    findings.rank = rank
    // The row of a lower rank.
    if case .probabilities(let count)? = findings.content { values.removeLast(count) }
    findings.content = nil
    let (start, rowStart) = (scanner.cursor, values.count)
    do throws(PredictionFault) {
      findings.content = try read(&self, &scanner)
      findings.fault = nil
    } catch {
      values.removeLast(values.count - rowStart)
      findings.fault = error
      scanner.cursor = start
      // Broken JSON is broken for good; the first fault says best what is wrong.
      do throws(PredictionFault) { try skip(bytes, &scanner) } catch { throw findings.fault ?? error }
    }
  }

  /// Calls `body` for each member whose key is known, with the scanner at its value; passes over the others.
  private mutating func members(
    _ bytes: Span<UInt8>, _ scanner: inout JSONScanner,
    _ body: (inout PredictionParser, PredictionKeys.Key, inout JSONScanner) throws(PredictionFault) -> Void
  ) throws(PredictionFault) {
    scanner.cursor += 1
    scanner.skipBlanks(bytes)
    if scanner.skip(UInt8(ascii: "}"), bytes) { return }
    while true {
      word.removeAll(keepingCapacity: true)
      do throws(JSONFault) {
        guard scanner.peek(bytes) == UInt8(ascii: "\"") else { throw scanner.fault("a key in quotes", bytes) }
        try scanner.string(bytes, into: &word)
        try scanner.skipColon(bytes)
      } catch {
        throw PredictionFault(.json(error))
      }
      if let key = PredictionKeys.known[word] {
        try body(&self, key, &scanner)
      } else {
        try skip(bytes, &scanner)
      }
      scanner.skipBlanks(bytes)
      if scanner.skip(UInt8(ascii: "}"), bytes) { return }
      guard scanner.skip(UInt8(ascii: ","), bytes) else {
        throw PredictionFault(.json(scanner.fault("',' or '}'", bytes)))
      }
      scanner.skipBlanks(bytes)
    }
  }

  private func skip(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner) throws(PredictionFault) {
    do throws(JSONFault) {
      try scanner.skipValue(bytes)
    } catch {
      throw PredictionFault(.json(error))
    }
  }

  /// Reads the image's name, text or a number, unless a better one was there.
  private mutating func readName(rank: Int, _ bytes: Span<UInt8>, _ scanner: inout JSONScanner)
    throws(PredictionFault)
  {
    let start = scanner.cursor
    let isText = scanner.peek(bytes) == UInt8(ascii: "\"")
    do throws(JSONFault) {
      word.removeAll(keepingCapacity: true)
      if isText { try scanner.string(bytes, into: &word) } else { try scanner.skipValue(bytes) }
    } catch {
      throw PredictionFault(.json(error))
    }
    if !isText {
      for index in start..<scanner.cursor { word.append(bytes[index]) }
      guard wholeNumber(word) != nil else { return }
    }
    if rank < nameRank ?? .max && !word.isEmpty {
      nameRank = rank
      swap(&name, &word)
    }
  }

  /// Reads the names in an input that an output was joined to.
  private mutating func readJoinedName(_ bytes: Span<UInt8>, _ scanner: inout JSONScanner)
    throws(PredictionFault)
  {
    guard scanner.peek(bytes) == UInt8(ascii: "{") else { return try skip(bytes, &scanner) }
    try members(bytes, &scanner) { (parser, key, scanner) throws(PredictionFault) in
      if case .name(let rank) = key.role {
        try parser.readName(rank: rank, bytes, &scanner)
      } else {
        try parser.skip(bytes, &scanner)
      }
    }
  }
}
