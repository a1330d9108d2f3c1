import Foundation
import Testing

@testable import Search

struct ScalingTests {
  @Test(
    "each scaling follows its definition",
    arguments: [
      (-3.0, 5.0, ScalingType.linear, 0.25, -1.0),
      (1e-6, 1e-2, .logarithmic, 0.25, 1e-5),
      (1e-6, 1e-2, .logarithmic, 0.5, 1e-4),
      (0, 0.9999, .reverseLogarithmic, 0.5, 0.99),
      (0.9, 0.999, .reverseLogarithmic, 0.5, 0.99),
    ])
  func definition(_ low: Double, _ high: Double, _ scaling: ScalingType, _ unit: Double, _ value: Double)
    throws
  {
    let parameter = try Parameter(continuous: "x", from: low, to: high, scaling: scaling)
    guard case .real(let found) = parameter.value(at: unit) else {
      return #expect(Bool(false), "a real number")
    }
    #expect(abs(found - value) < 1e-12 * max(1, abs(value)))
    #expect(abs(try #require(parameter.unit(of: .real(value))) - unit) < 1e-12)
    #expect(parameter.value(at: 0) == .real(low))
    #expect(parameter.value(at: 1) == .real(high))
    #expect(try #require(parameter.unit(of: .real(low))) == 0)
    #expect(try #require(parameter.unit(of: .real(high))) == 1)
    for step in 0...100 {
      let there = parameter.value(at: Double(step) / 100)
      #expect(abs(try #require(parameter.unit(of: there)) - Double(step) / 100) < 1e-9)
    }
  }

  @Test(
    "Auto is logarithmic from a ratio of 100 on, above 0",
    arguments: [
      (1e-6, 0.5, ScalingType.logarithmic), (0.01, 1, .logarithmic), (0.011, 1, .linear), (0, 0.999, .linear),
      (-1, 1000, .linear), (-100, -1, .linear),
    ])
  func automatic(_ low: Double, _ high: Double, _ meant: ScalingType) throws {
    #expect(try Parameter(continuous: "x", from: low, to: high).effectiveScaling == meant)
  }

  @Test("Auto judges integers by their bounds: 8 to 512 is linear, 5 to 512 logarithmic")
  func automaticIntegers() throws {
    #expect(try Parameter(integer: "n", from: 8, to: 512).effectiveScaling == .linear)
    #expect(try Parameter(integer: "n", from: 5, to: 512).effectiveScaling == .logarithmic)
  }

  @Test("each integer has the same share of the linear scale, the ends too")
  func integers() throws {
    let parameter = try Parameter(integer: "n", from: 1, to: 5, scaling: .linear)
    var counts: [ParameterValue: Int] = [:]
    for step in 0..<5000 { counts[parameter.value(at: (Double(step) + 0.5) / 5000), default: 0] += 1 }
    #expect(counts == [.whole(1): 1000, .whole(2): 1000, .whole(3): 1000, .whole(4): 1000, .whole(5): 1000])
    #expect(parameter.value(at: 0) == .whole(1))
    #expect(parameter.value(at: 1) == .whole(5))
  }

  @Test("an integer's share of the logarithmic scale is that of its cell")
  func logarithmicIntegers() throws {
    let parameter = try Parameter(integer: "n", from: 1, to: 8, scaling: .logarithmic)
    var counts = [Double](repeating: 0, count: 9)
    for step in 0..<100_000 {
      guard case .whole(let number) = parameter.value(at: (Double(step) + 0.5) / 100_000) else { continue }
      counts[number] += 1e-5
    }
    for number in 1...8 {
      let share = log((Double(number) + 0.5) / (Double(number) - 0.5)) / log(8.5 / 0.5)
      #expect(abs(counts[number] - share) < 1e-4)
    }
  }

  @Test("every integer and category comes back from where it is")
  func roundTrip() throws {
    for scaling in [ScalingType.linear, .logarithmic] {
      let parameter = try Parameter(integer: "n", from: 8, to: 512, scaling: scaling)
      for number in 8...512 {
        #expect(parameter.value(at: try #require(parameter.unit(of: .whole(number)))) == .whole(number))
      }
    }
    let words = ["sgd", "nag", "adam"]
    let parameter = try Parameter(categorical: "optimizer", words)
    #expect(words.map { parameter.unit(of: .choice($0)) } == [1.0 / 6, 0.5, 5.0 / 6])
    #expect(
      [0, 0.2, 0.4, 0.6, 0.7, 1].map { "\(parameter.value(at: $0))" } == [
        "sgd", "sgd", "nag", "nag", "adam", "adam",
      ])
  }

  @Test("the widest ranges have finite values")
  func widest() throws {
    let far = Double.greatestFiniteMagnitude
    let parameter = try Parameter(continuous: "x", from: -far, to: far, scaling: .linear)
    #expect(parameter.value(at: 0.5) == .real(0))
    #expect(parameter.unit(of: .real(0)) == 0.5)
    let tiny = try Parameter(continuous: "x", from: .leastNonzeroMagnitude, to: far, scaling: .logarithmic)
    #expect(try #require(tiny.unit(of: tiny.value(at: 0.25))).distance(to: 0.25).magnitude < 1e-9)
    let limit = Parameter.integerLimit
    let whole = try Parameter(integer: "n", from: -limit, to: limit, scaling: .linear)
    #expect(whole.value(at: 0) == .whole(-limit) && whole.value(at: 1) == .whole(limit))
  }

  @Test("a value that is not on the scale has no position")
  func nowhere() throws {
    let parameter = try Parameter(continuous: "x", from: 1, to: 10, scaling: .logarithmic)
    #expect(parameter.unit(of: .real(0)) == nil)
    #expect(parameter.unit(of: .real(-1)) == nil)
    #expect(parameter.unit(of: .choice("a")) == nil)
    #expect(abs(try #require(parameter.unit(of: .real(100))) - 2) < 1e-12)
  }

  @Test(
    "a text is the value it was written from, and the quotes of SageMaker's SDK are taken off",
    arguments: [("1e-06", ParameterValue.real(1e-6)), ("0.1", .real(0.1)), ("3", .real(3))])
  func texts(_ text: String, _ value: ParameterValue) throws {
    let parameter = try Parameter(continuous: "x", from: 0, to: 1)
    #expect(try parameter.value(of: text) == value)
    #expect(try parameter.value(of: value.description) == value)
    let optimizer = try Parameter(categorical: "optimizer", ["sgd", "adam"])
    #expect(try optimizer.value(of: "\"adam\"") == .choice("adam"))
    #expect(try optimizer.value(of: "sgd") == .choice("sgd"))
    #expect(try Parameter(integer: "n", from: 1, to: 4).value(of: "3.0") == .whole(3))
  }
}
