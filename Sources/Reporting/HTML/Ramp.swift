import Foundation

/// A colour for each strength, from faint to strong; lightness goes one way only, so grey print and every kind of
/// colour vision keep the order.
struct Ramp {
  /// sRGB, 0xRRGGBB.
  private let stops: [UInt32]
  /// Colours a page shows; neighbours can hardly be told apart.
  static let stepCount = 24

  /// Errors: apricot to wine. Right answers: blue. On white, and on near black.
  static let errorsOnLight = Ramp(stops: [0xF3C9A0, 0xE28E50, 0xBE4A2F, 0x7F1A38, 0x3B0A2E])
  static let rightOnLight = Ramp(stops: [0xC3DBF0, 0x7DAEDA, 0x397EBC, 0x14538F, 0x0A2C57])
  static let errorsOnDark = Ramp(stops: [0x6A3026, 0x9C472D, 0xD27036, 0xF2A65E, 0xFFE5BC])
  static let rightOnDark = Ramp(stops: [0x1F4166, 0x2B659F, 0x4B93D1, 0x8DC1EF, 0xD8EDFF])

  /// - Parameter strength: 0...1; what is outside counts as the end next to it.
  func color(_ strength: Double) -> UInt32 {
    let place = min(max(strength, 0), 1) * Double(stops.count - 1)
    let index = min(Int(exactly: place.rounded(.down)) ?? 0, stops.count - 2)
    let part = place - Double(index)
    return [16, 8, 0].reduce(0) { mixed, shift in
      let (a, b) = (Double(stops[index] >> shift & 0xFF), Double(stops[index + 1] >> shift & 0xFF))
      let value = UInt32(exactly: (a + (b - a) * part).rounded()) ?? 0
      return mixed | value << shift
    }
  }

  /// "#rrggbb", faint to strong.
  var steps: [String] {
    (0..<Self.stepCount).map { step in
      let text = String(color(Double(step) / Double(Self.stepCount - 1)), radix: 16)
      return "#" + String(repeating: "0", count: 6 - text.count) + text
    }
  }
}

/// How strongly a count is drawn: by its logarithm, so that single images show beside hundreds.
func logStrength(_ count: Int, most: Int) -> Double {
  guard count > 0, most > 1 else { return count > 0 ? 1 : 0 }
  return log(Double(count)) / log(Double(most))
}
