import Files
import Glibc
import Imaging

/// Shows what augmentation does to real photographs, and makes tensors from given draws for tools/oracle.
///
/// ```text
/// augmentations sheet PHOTO... >SHEET.jpg   a row a photograph: as it is, the first crop, the last one
///                                           mirrored, both ends of hue, saturation, lightness, rotation, shear and
///                                           aspect, then four draws of all of them
/// augmentations tensors <LINES >TENSORS     a line an image: shape resize place-across place-down shear angle ratio fill
///                                           hue saturation lightness mirrored path; "-" for what is not drawn
/// augmentations time PHOTO...               microseconds an image
/// ```
/// `tensors` writes nothing but 32-bit floats, image after image.
@main
struct Augmentations {
  static func main() {
    let words = Array(CommandLine.arguments.dropFirst())
    do {
      switch words.first {
      case "sheet" where words.count > 1: try drawSheet(Array(words[1...]))
      case "tensors" where words.count == 1: try writeTensors()
      case "time" where words.count > 1: try measure(Array(words[1...]))
      default:
        complain("usage: augmentations sheet PHOTO... >SHEET.jpg | tensors <LINES >TENSORS | time PHOTO...")
        exit(64)
      }
    } catch {
      complain("augmentations: \(error)")
      exit(1)
    }
  }

  private static func complain(_ text: String) {
    _ = writeAll(Array((text + "\n").utf8).span, to: 2)
  }

  private static func tell(_ bytes: [UInt8]) throws {
    if let code = writeAll(bytes.span, to: 1) {
      throw Complaint("the output cannot be written: error \(code)")
    }
  }

  // MARK: tensors

  private static func writeTensors() throws {
    while let line = readLine() {
      let order = try Order(line)
      let tensor = try tensor(of: readFile(order.path).bytes, order.preset, order.draw)
      try tell(unsafe tensor.withUnsafeBytes { unsafe Array($0) })
    }
  }

  private static func tensor(
    of file: [UInt8], _ preset: Preset, _ draw: Augmentation.Draw
  ) throws(ImageError) -> [Float] {
    var tensor = [Float](repeating: 0, count: preset.count)
    var span = tensor.mutableSpan
    try preset.fill(&span, from: file.span, draw)
    return tensor
  }

  private struct Order {
    let preset: Preset
    var draw = Augmentation.Draw()
    let path: String

    init(_ line: String) throws {
      let fields = line.split(separator: " ", maxSplits: 12).map { String($0) }
      guard fields.count == 13 else { throw Complaint("a line of \(fields.count) fields: \(line)") }
      let shape = fields[0].split(separator: ",").compactMap { Int($0) }
      preset = try Preset(resize: Int(fields[1]), shape: shape)
      if let across = Double(fields[2]), let down = Double(fields[3]) { draw.place = (across, down) }
      if let shear = Float(fields[4]), let angle = Int(fields[5]), let ratio = Float(fields[6]) {
        draw.warp = .init(shear: shear, angle: angle, ratio: ratio)
      }
      if let fill = UInt8(fields[7]) { draw.fill = fill }
      if let hue = Int(fields[8]), let saturation = Int(fields[9]), let lightness = Int(fields[10]) {
        draw.colors = .init(hue: hue, saturation: saturation, lightness: lightness)
      }
      draw.isMirrored = fields[11] == "1"
      path = fields[12]
    }
  }

  // MARK: sheet

  private static func drawSheet(_ paths: [String]) throws {
    let preset = try Preset(resize: 120, shape: [3, 96, 96])
    let extremes = extremes(of: Augmentation(.cropColorTransform))
    let kinds = extremes.count + 4
    let (side, columns) = (preset.width, kinds)
    var samples = [UInt8](repeating: 255, count: 3 * side * side * columns * paths.count)
    for (row, path) in paths.enumerated() {
      let file = try readFile(path).bytes
      for column in 0..<columns {
        let drawn = Augmentation(.cropColorTransform).draw(seed: 1, epoch: column, image: row)
        let draw = column < extremes.count ? extremes[column] : drawn
        let tensor = try tensor(of: file, preset, draw)
        for place in 0..<side * side {
          let at = ((row * side + place / side) * columns * side + column * side + place % side) * 3
          for channel in 0..<3 {
            samples[at + channel] = UInt8(clamping: Int(tensor[channel * side * side + place]))
          }
        }
      }
    }
    let sheet = try Pixels(
      width: side * columns, height: side * paths.count, channels: 3, samples: samples.span)
    try tell(try encode(sheet, as: .jpeg(quality: 90)))
  }

  /// Nothing, then the first and the last crop, the latter mirrored, then each range's two ends alone.
  private static func extremes(of ranges: Augmentation) -> [Augmentation.Draw] {
    var draws = [Augmentation.Draw()]
    func add(_ change: (inout Augmentation.Draw) -> Void) {
      var draw = Augmentation.Draw()
      change(&draw)
      draws.append(draw)
    }
    add { $0.place = (0, 0) }
    add {
      $0.place = (1, 1)
      $0.isMirrored = true
    }
    let signs = [-1, 1]
    for sign in signs { add { $0.colors = .init(hue: sign * ranges.hue, saturation: 0, lightness: 0) } }
    for sign in signs {
      add { $0.colors = .init(hue: 0, saturation: sign * ranges.saturation, lightness: 0) }
    }
    for sign in signs { add { $0.colors = .init(hue: 0, saturation: 0, lightness: sign * ranges.lightness) } }
    for sign in signs { add { $0.warp = .init(shear: 0, angle: sign * ranges.rotation, ratio: 1) } }
    for sign in signs { add { $0.warp = .init(shear: Float(sign) * ranges.shear, angle: 0, ratio: 1) } }
    for sign in signs { add { $0.warp = .init(shear: 0, angle: 0, ratio: 1 + Float(sign) * ranges.aspect) } }
    return draws
  }

  // MARK: time

  private static func measure(_ paths: [String]) throws {
    let files = try paths.map { try readFile($0).bytes }
    let preset = try Preset(resize: 256)
    let middle = time(files) { file, tensor, _ throws(ImageError) in try preset.fill(&tensor, from: file) }
    print("evaluation: \(middle) us an image")
    for kind in [nil] + Augmentation.Kind.allCases.map({ $0 as Augmentation.Kind? }) {
      let augmentation = Augmentation(kind)
      let microseconds = time(files) { file, tensor, number throws(ImageError) in
        try preset.fill(&tensor, from: file, augmentation.draw(seed: 1, epoch: 0, image: number))
      }
      print("\(kind?.rawValue ?? "none"): \(microseconds) us an image")
    }
  }

  /// The best of some rounds, in microseconds of processor time an image of 3x224x224.
  private static func time(
    _ files: [[UInt8]], _ body: (Span<UInt8>, inout MutableSpan<Float>, Int) throws(ImageError) -> Void
  ) -> Double {
    var tensor = [Float](repeating: 0, count: 3 * 224 * 224)
    let times = (0..<7).map { _ in
      let start = clock()
      for (number, file) in files.enumerated() {
        var span = tensor.mutableSpan
        do { try body(file.span, &span, number) } catch { complain("image \(number): \(error)") }
      }
      return Double(clock() - start) * 1e6 / Double(CLOCKS_PER_SEC) / Double(max(1, files.count))
    }
    return (times.min() ?? 0).rounded()
  }
}

struct Complaint: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
