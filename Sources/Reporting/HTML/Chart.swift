/// A drawing for the page, in its own units: shapes with classes of the style sheet, no colours of its own.
package struct Chart {
  /// Whether a small screen shows a part of it at a time, and not all of it too small to read.
  package var isWide = false
  package let id: String
  /// What it shows, and what it says, for those who do not see it.
  let title: String
  let description: String
  let width: Double
  let height: Double
  private var shapes: [Node] = []

  package enum Anchor: String { case start, middle, end }

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

  package mutating func rect(_ x: Double, _ y: Double, _ width: Double, _ height: Double, _ style: String) {
    shapes.append([
      "rect": [
        "x": coordinate(x), "y": coordinate(y), "w": coordinate(max(0, width)),
        "h": coordinate(max(0, height)), "style": style,
      ] as Node
    ])
  }

  package mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ style: String) {
    path([(x1, y1), (x2, y2)], style)
  }

  package mutating func path(_ points: [(Double, Double)], closed: Bool = false, _ style: String) {
    guard let first = points.first else { return }
    var d = "M\(coordinate(first.0)) \(coordinate(first.1))"
    for point in points.dropFirst() { d += "L\(coordinate(point.0)) \(coordinate(point.1))" }
    shapes.append(["path": ["d": closed ? d + "Z" : d, "style": style] as Node])
  }

  package mutating func circle(_ x: Double, _ y: Double, _ radius: Double, _ style: String) {
    shapes.append([
      "circle": ["x": coordinate(x), "y": coordinate(y), "r": coordinate(radius), "style": style] as Node
    ])
  }

  /// - Parameter turn: degrees clockwise round the anchor.
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

  /// A picture, drawn without smoothing; for a light and a dark page each.
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

/// A plane with axes inside a chart.
package struct Plane {
  var left = 44.0
  var top = 12.0
  var width = 360.0
  var height = 216.0
  var x: ClosedRange<Double> = 0...1
  var y: ClosedRange<Double> = 0...1

  package func across(_ value: Double) -> Double {
    left + width * (value - x.lowerBound) / max(x.upperBound - x.lowerBound, 1e-12)
  }
  package func down(_ value: Double) -> Double {
    top + height * (1 - (value - y.lowerBound) / max(y.upperBound - y.lowerBound, 1e-12))
  }
}

extension Chart {
  /// Grid, ticks and names of the axes.
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

/// Round steps for an axis from 0 to at least `most`.
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
