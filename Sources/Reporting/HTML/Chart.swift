import Foundation
import Scoring

/// A drawing for a page, in its own units: shapes with classes of the style sheet, which has all colours.
package struct Chart {
  /// Whether a small screen scrolls through the chart instead of shrinking it until it is illegible.
  package var isWide = false
  /// The id of the element, unique in its page.
  package let id: String
  /// What the chart shows, and what it says, for readers who do not see it.
  let title: String
  let description: String
  let width: Double
  let height: Double
  private var shapes: [Node] = []

  /// The point of a text that is placed.
  package enum Anchor: String { case start, middle, end }

  /// An empty chart.
  package init(id: String, title: String, description: String, width: Double = 420, height: Double = 280) {
    self.id = id
    self.title = title
    self.description = description
    self.width = width
    self.height = height
  }

  var node: Node {
    [
      "chartID": id, "chartTitle": title, "chartDesc": description, "chartWidth": coordinate(width),
      "chartHeight": coordinate(height), "shapes": shapes, "isWide": isWide ? true : nil as Bool?,
    ]
  }

  /// Adds a rectangle; a negative size counts as 0.
  /// - Parameter style: a class of the style sheet.
  package mutating func rect(_ x: Double, _ y: Double, _ width: Double, _ height: Double, _ style: String) {
    shapes.append([
      "rect": [
        "x": coordinate(x), "y": coordinate(y), "w": coordinate(max(0, width)),
        "h": coordinate(max(0, height)), "style": style,
      ] as Node
    ])
  }

  /// Adds a line between two points.
  package mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ style: String) {
    path([(x1, y1), (x2, y2)], style)
  }

  /// Adds a line through points; nothing where there are none.
  package mutating func path(_ points: [(Double, Double)], closed: Bool = false, _ style: String) {
    guard let first = points.first else { return }
    var d = "M\(coordinate(first.0)) \(coordinate(first.1))"
    for point in points.dropFirst() { d += "L\(coordinate(point.0)) \(coordinate(point.1))" }
    shapes.append(["path": ["d": closed ? d + "Z" : d, "style": style] as Node])
  }

  /// Adds a circle.
  package mutating func circle(_ x: Double, _ y: Double, _ radius: Double, _ style: String) {
    shapes.append([
      "circle": ["x": coordinate(x), "y": coordinate(y), "r": coordinate(radius), "style": style] as Node
    ])
  }

  /// Adds a text.
  /// - Parameter turn: degrees clockwise around the anchor.
  package mutating func text(
    _ x: Double, _ y: Double, _ text: String, _ anchor: Anchor = .start, style: String = "label",
    turn: Double = 0
  ) {
    shapes.append([
      "text": [
        "x": coordinate(x), "y": coordinate(y), "anchor": anchor.rawValue, "words": text, "style": style,
        "turn": turn == 0
          ? nil : "rotate(\(coordinate(turn)) \(coordinate(x)) \(coordinate(y)))" as String?,
      ] as Node
    ])
  }

  /// Adds a square PNG, drawn without smoothing: one for a light page and one for a dark page, each as base64.
  package mutating func picture(_ x: Double, _ y: Double, _ side: Double, light: String, dark: String) {
    for (style, data) in [("on-light", light), ("on-dark", dark)] {
      shapes.append([
        "picture": [
          "x": coordinate(x), "y": coordinate(y), "side": coordinate(side), "style": style, "png": data,
        ] as Node
      ])
    }
  }
}

/// A coordinate system inside a chart.
package struct Plane {
  var left = 44.0
  var top = 12.0
  var width = 360.0
  var height = 216.0
  var x: ClosedRange<Double> = 0...1
  var y: ClosedRange<Double> = 0...1

  /// The horizontal position of a value.
  package func across(_ value: Double) -> Double {
    left + width * (value - x.lowerBound) / max(x.upperBound - x.lowerBound, 1e-12)
  }
  /// The vertical position of a value.
  package func down(_ value: Double) -> Double {
    top + height * (1 - (value - y.lowerBound) / max(y.upperBound - y.lowerBound, 1e-12))
  }
}

extension Chart {
  /// Adds grid lines, ticks and the names of the axes.
  package mutating func axes(
    _ plane: Plane, xTicks: [(Double, String)], yTicks: [(Double, String)], xName: String, yName: String
  ) {
    for (value, words) in yTicks {
      line(plane.left, plane.down(value), plane.left + plane.width, plane.down(value), "grid")
      text(plane.left - 6, plane.down(value) + 4, words, .end, style: "tick")
    }
    for (value, words) in xTicks {
      let x = plane.across(value)
      line(x, plane.top + plane.height, x, plane.top + plane.height + 4, "axis")
      text(x, plane.top + plane.height + 17, words, .middle, style: "tick")
    }
    line(plane.left, plane.top + plane.height, plane.left + plane.width, plane.top + plane.height, "axis")
    text(plane.left + plane.width / 2, plane.top + plane.height + 36, xName, .middle)
    if !yName.isEmpty { text(11, plane.top + plane.height / 2, yName, .middle, turn: -90) }
  }

  static let shareTicks: [(Double, String)] = [
    (0, "0"), (0.25, "25"), (0.5, "50"), (0.75, "75"), (1, "100\u{A0}%"),
  ]
}

extension Chart {
  /// A share on a scale from 0 to 100 %, with its interval where there is one.
  /// - Parameter name: what the share is, for the title.
  static func scale(_ name: String, _ value: Double, _ estimate: Estimate?) -> Chart {
    var chart = Chart(
      id: "scale", title: "\(name) on a scale from 0 to 100 %",
      description: percent(value) + (estimate.map { ", with an interval from \(range($0))." } ?? "."),
      width: 420, height: 34)
    chart.rect(2, 8, 416, 6, "track")
    if let estimate {
      chart.rect(2 + 416 * estimate.low, 4, max(2, 416 * (estimate.high - estimate.low)), 14, "whisker")
    }
    chart.rect(1 + 416 * value, 1, 2.5, 20, "mark")
    for (value, words, anchor) in [
      (0.0, "0", Chart.Anchor.start), (0.5, "50", .middle), (1, "100\u{A0}%", .end),
    ] { chart.text(2 + 416 * value, 32, words, anchor, style: "tick") }
    return chart
  }
}

/// Round steps for an axis from 0 to at least `most`.
/// - Parameter count: about how many steps there are.
package func axisSteps(to most: Double, about count: Int = 4) -> [Double] {
  guard most > 0 else { return [0, 1] }
  let rough = most / Double(max(1, count))
  var power = 1.0
  while power * 10 <= rough { power *= 10 }
  while power > rough { power /= 10 }
  let step = [1.0, 2, 5, 10].first { $0 * power >= rough * 0.999 }.map { $0 * power } ?? rough
  var steps: [Double] = [0]
  while let last = steps.last, last < most * 0.999, steps.count < 50 {
    steps.append(Double(steps.count) * step)
  }
  return steps
}

/// Trials of a search as lines across parallel axes, one for each parameter and one for the objective; the best is in
/// front.
package struct ParallelCoordinates {
  /// One axis.
  package struct Axis {
    /// The scale of an axis.
    package enum Kind {
      /// From the first to the second value.
      case linear(Double, Double)
      /// From the first to the second value, both above 0.
      case logarithmic(Double, Double)
      /// One place for each name, at equal distances.
      case categories([String])
    }
    var name: String
    var kind: Kind

    /// An axis with this name and scale.
    package init(_ name: String, _ kind: Kind) { (self.name, self.kind) = (name, kind) }
  }

  /// How a trial is drawn.
  package enum Mark { case usual, best, failed }

  /// One trial.
  package struct Strand {
    /// The value on each axis, as the search wrote it; `nil` where there is none.
    var values: [String?]
    var mark: Mark

    /// A trial with these values.
    package init(_ values: [String?], _ mark: Mark) { (self.values, self.mark) = (values, mark) }
  }

  var axes: [Axis]
  var strands: [Strand]

  /// A drawing of these trials.
  package init(axes: [Axis], strands: [Strand]) { (self.axes, self.strands) = (axes, strands) }

  /// The chart; `nil` where there is nothing to draw: fewer than two axes, or no trial.
  package func chart(id: String, title: String) -> Chart? {
    guard axes.count >= 2, !strands.isEmpty else { return nil }
    let (width, height, left, top) = (max(640, Double(axes.count) * 170), 330.0, 70.0, 44.0)
    let (across, down) = (width - 2 * left, height - top - 34)
    var chart = Chart(
      id: id, title: title,
      description: "\(counted(strands.count, "job")), one line each; the best is thick.",
      width: width, height: height)
    chart.isWide = true
    func x(_ axis: Int) -> Double { left + across * Double(axis) / Double(axes.count - 1) }
    for (order, marks) in [(Mark.failed, "strand-bad"), (.usual, "strand"), (.best, "strand-best")] {
      for strand in strands where strand.mark == order {
        // The line breaks where a value is missing.
        var line: [(Double, Double)] = []
        for (index, axis) in axes.enumerated() {
          if index < strand.values.count, let value = strand.values[index], let place = axis.place(value) {
            line.append((x(index), top + down * (1 - place)))
          } else {
            if line.count > 1 { chart.path(line, marks) }
            line = []
          }
        }
        if line.count > 1 { chart.path(line, marks) }
        if order == .best { for point in line { chart.circle(point.0, point.1, 4, "dot-right") } }
      }
    }
    for (index, axis) in axes.enumerated() {
      chart.line(x(index), top, x(index), top + down, "axis")
      chart.text(x(index), 16, clipped(axis.name, to: 22), .middle)
      for (place, words) in axis.ticks {
        let y = top + down * (1 - place)
        chart.line(x(index) - 4, y, x(index), y, "axis")
        chart.text(x(index) - 7, y + 4, clipped(words, to: 12), .end, style: "tick")
      }
    }
    return chart
  }
}

extension ParallelCoordinates.Axis {
  /// The place of a value, 0...1; `nil` where it is not on this axis.
  func place(_ text: String) -> Double? {
    switch kind {
    case .categories(let names):
      guard let index = names.firstIndex(of: text) else { return nil }
      return names.count > 1 ? Double(index) / Double(names.count - 1) : 0.5
    case .linear(let low, let high):
      guard let value = Double(text), value.isFinite else { return nil }
      return high > low ? min(1, max(0, (value - low) / (high - low))) : 0.5
    case .logarithmic(let low, let high):
      guard let value = Double(text), value > 0, value.isFinite, low > 0 else { return nil }
      return high > low ? min(1, max(0, log(value / low) / log(high / low))) : 0.5
    }
  }

  var ticks: [(Double, String)] {
    switch kind {
    case .categories(let names):
      let shown = names.count > 12 ? [names[0], names[names.count - 1]] : names
      return shown.compactMap { name in place(name).map { ($0, name) } }
    case .linear(let low, let high):
      let values = high > low ? [low, low + (high - low) / 2, high] : [low]
      return values.compactMap { value in place("\(value)").map { ($0, short(value)) } }
    case .logarithmic(let low, let high):
      let values = high > low ? [low, (low * high).squareRoot(), high] : [low]
      return values.compactMap { value in place("\(value)").map { ($0, short(value)) } }
    }
  }

  /// A number with three significant digits.
  private func short(_ value: Double) -> String {
    let size = abs(value)
    if size == 0 { return "0" }
    if size >= 1e5 || size < 1e-3 {
      var (number, power) = (value, 0)
      while abs(number) >= 9.995 { (number, power) = (number / 10, power + 1) }
      while abs(number) < 0.9995 { (number, power) = (number * 10, power - 1) }
      return "\(withoutTrailingZeros(decimal(number, 1)))e\(power)"
    }
    return withoutTrailingZeros(
      decimal(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4))
  }
}
