import Foundation
import TestSupport
import Testing

@testable import Encodings

/// Reads `text` as one JSON number.
private func read(_ text: String) -> Result<Double, JSONError> {
  let bytes = Array(text.utf8)
  var scanner = JSONScanner()
  do throws(JSONError) {
    let value = try scanner.number(bytes.span)
    if scanner.cursor < bytes.count { throw scanner.fault("the end", bytes.span) }
    return .success(value)
  } catch {
    return .failure(error)
  }
}

/// The texts whose value is not, bit for bit, that of C's strtod.
private func disagreements(_ texts: some Sequence<String>) -> [String] {
  texts.filter { text in
    guard case .success(let value) = read(text) else { return true }
    return value.bitPattern != strtod(text, nil).bitPattern
  }
}

@Suite("Numbers are those of strtod")
struct NumberTests {
  /// More on demand: ten million take a minute in a release build.
  private static let count =
    ProcessInfo.processInfo.environment["IMREC_NUMBER_COUNT"].flatMap { Int($0) } ?? 60_000

  @Test("as Python and MXNet print probabilities: shortest digits of doubles and of floats")
  func shortest() {
    var random = SplitMix64(seed: 1)
    let texts = (0..<Self.count).map { index in
      let value = Double.random(in: 0...1, using: &random)
      switch index % 4 {
      case 0: return "\(value)"
      case 1: return "\(Float(value))"
      case 2: return "\(Double(Float(value * value * value * value * 1e-9)))"
      default: return String(format: "%.9g", value * value * value * 1e-5)
      }
    }
    #expect(disagreements(texts) == [])
  }

  @Test("any bits of a double, printed with 17 digits")
  func anyBits() {
    var random = SplitMix64(seed: 2)
    let texts = (0..<Self.count).compactMap { _ -> String? in
      let value = Double(bitPattern: random.next())
      return value.isFinite ? String(format: "%.16e", value) : nil
    }
    #expect(disagreements(texts) == [])
  }

  @Test("any 1 to 19 digits with any exponent and any place of the point")
  func anyDigits() {
    var random = SplitMix64(seed: 3)
    let texts = (0..<Self.count).map { _ -> String in
      let digits = "\(random.next() % 10_000_000_000_000_000_000)".prefix(
        Int.random(in: 1...19, using: &random))
      let exponent = Int.random(in: -330...280, using: &random)
      switch random.next() % 3 {
      case 0: return "\(digits)e\(exponent)"
      case 1: return "0.\(digits)E\(exponent)"
      default: return "-\(digits.first == "0" ? "1" : digits.prefix(1)).\(digits)e+\(abs(exponent) % 270)"
      }
    }
    #expect(disagreements(texts) == [])
  }

  @Test("points halfway between two doubles, and their nearest neighbours of 17 to 40 digits")
  func halfway() {
    var random = SplitMix64(seed: 4)
    let texts = (0..<Self.count).map { _ -> String in
      let significand = random.next() >> 11 | 1 << 52
      // 54 bits are exact in an 80-bit number, and printf prints them exactly.
      let point = Float80(significand) + 0.5
      let scaled = Float80(
        sign: .plus, exponent: Int.random(in: -200...60, using: &random), significand: point)
      let digitCount = Int.random(in: 16...39, using: &random)
      return String(format: "%.\(digitCount)Le", scaled)
    }
    #expect(disagreements(texts) == [])
  }

  @Test(
    "known hard cases",
    arguments: [
      "0", "-0", "0.0", "-0.0e5", "0e999999999999", "1", "9007199254740993", "9007199254740992.5",
      "1.00000000000000011102230246251565404236316680908203125",
      "1.00000000000000011102230246251565404236316680908203124",
      "1.00000000000000011102230246251565404236316680908203126", "7.2057594037927933e16",
      "2.2250738585072011e-308",
      "2.2250738585072014e-308", "4.9406564584124654e-324", "2.4703282292062327e-324",
      "2.4703282292062328e-324",
      "1e-400", "1e-999999999", "1.7976931348623157e308", "1.7976931348623158e308", "6.0221407599999999e23",
      "1e22",
      "1e23", "9.5e-23", "8.5e22", "123456789012345678", "1234567890123456789", "18446744073709551615",
      "18446744073709551616", "99999999999999999999999999",
      "0.00000000000000000000000000000000000012345678901234567",
      "0.1", "0.3", "3.0e-1", "0.30000000000000004", "9214843084008499", "9214843084008499e-26",
      "30078505129381147446200", "1777820000000000000001",
      "0.500000000000000166533453693773481063544750213623046875",
      "3.5028234666e38", "1090544144181609348671888949248",
      "7.0420557077594588669468784357561207962098443483187940792729600000e59",
      "100000000000000016777215", "100000000000000016777216", "8.442911973260991817129021e-309",
    ])
  func hard(_ text: String) {
    #expect(disagreements([text, "-" + text.drop { $0 == "-" }]) == [])
  }

  @Test("a thousand digits round correctly even if the last one decides")
  func manyDigits() {
    let half = "1.00000000000000011102230246251565404236316680908203125"
    #expect(
      disagreements([
        half + String(repeating: "0", count: 1000) + "1", half + String(repeating: "0", count: 1000),
      ]) == [])
    #expect(
      disagreements(["0." + String(repeating: "0", count: 400) + "123", String(repeating: "9", count: 300)])
        == [])
  }

  @Test(
    "what is no JSON number is refused at its place",
    arguments: [
      ("", 0), ("-", 1), ("+1", 0), (".5", 0), ("5.", 2), ("-.5", 0), ("01", 1), ("00", 1), ("1e", 2),
      ("1e+", 3),
      ("1.e5", 2), ("0x10", 1), ("1_000", 1), ("NaN", 0), ("Infinity", 0), ("-Infinity", 0), ("nan", 0),
      ("1,5", 1),
      ("1..5", 2), ("--1", 0), ("1e5.5", 3), ("\u{FF11}", 0),
    ])
  func refused(_ text: String, _ offset: Int) {
    guard case .failure(let fault) = read(text) else {
      Issue.record("\(text) was read as \(read(text))")
      return
    }
    #expect(fault.offset == offset)
  }

  @Test(
    "what is larger than a double is refused, not infinity",
    arguments: [
      "1e999", "-1e309", "1.7976931348623159e308", String(repeating: "9", count: 400),
      "1e99999999999999999999",
    ])
  func tooLarge(_ text: String) {
    guard case .failure(let fault) = read(text), case .beyondDouble = fault.reason else {
      Issue.record("\(text) was read as \(read(text))")
      return
    }
    #expect(fault.offset == 0)
  }
}
