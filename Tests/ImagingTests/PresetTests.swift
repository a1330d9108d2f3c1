import Foundation
import TestSupport
import Testing

@testable import Imaging

@Suite struct PresetTests {
  @Test("the JSON is that of preprocess.json, with null where there is no resize")
  func json() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let preset = try Preset(mode: .squash, mean: [123.68, 116.779, 103.939])
    let text = try String(decoding: encoder.encode(preset), as: UTF8.self)
    #expect(
      text == #"{"filter":"linear","mean":[123.68,116.779,103.939],"mode":"squash","resize":null,"#
        + #""shape":[3,224,224],"std":[1,1,1]}"#)
  }

  @Test("what is written is read back", arguments: Filter.allCases)
  func roundTrip(_ filter: Filter) throws {
    for mode in Preset.Mode.allCases {
      let preset = try Preset(
        mode: mode, resize: mode == .crop ? 256 : nil, shape: [1, 28, 36], mean: [0.1, 2, 3],
        std: [0.3, 5, 1e-3],
        filter: filter)
      #expect(try JSONDecoder().decode(Preset.self, from: JSONEncoder().encode(preset)) == preset)
    }
  }

  @Test("what the JSON leaves out has its default")
  func defaults() throws {
    #expect(try JSONDecoder().decode(Preset.self, from: Data("{}".utf8)) == Preset())
  }

  @Test(
    "nonsense is refused with a message",
    arguments: [
      (#"{"shape":[224,224]}"#, "the shape has 2 numbers; three are expected: channels,height,width"),
      (#"{"shape":[4,2,2]}"#, "the shape has 4 channels; 3 (colour) or 1 (grey) are expected"),
      (
        #"{"shape":[3,0,5]}"#,
        "the shape is 0 high and 5 wide; each from 1 to 65535, and at most 178956970 pixels are expected"
      ),
      (
        #"{"shape":[3,65535,65535]}"#,
        "the shape is 65535 high and 65535 wide; each from 1 to 65535, and at most 178956970 pixels are expected"
      ),
      (#"{"resize":0}"#, "resize is 0; from 1 to 65535 is expected"),
      (#"{"resize":-9223372036854775808}"#, "resize is -9223372036854775808; from 1 to 65535 is expected"),
      (#"{"mean":[1,2]}"#, "mean has 2 numbers; one per channel is expected: red,green,blue"),
      (#"{"std":[]}"#, "std has 0 numbers; one per channel is expected: red,green,blue"),
      (#"{"std":[1,0,1]}"#, "std contains 0.0, which cannot be a divisor; numbers above 0 are expected"),
      (#"{"std":[1,1,-2]}"#, "std contains -2.0, which cannot be a divisor; numbers above 0 are expected"),
      (
        #"{"std":[1e-45,1,1]}"#,
        "std contains 1e-45, which cannot be a divisor; numbers above 0 are expected"
      ),
    ])
  func nonsense(_ json: String, _ sentence: String) throws {
    let error = #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(Preset.self, from: Data(json.utf8))
    }
    guard case .dataCorrupted(let context) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(context.debugDescription == sentence)
  }

  @Test("a mean that is not a number is refused")
  func notANumber() {
    #expect(throws: PresetError("mean contains nan; finite numbers are expected")) {
      try Preset(mean: [0, .nan, 0])
    }
  }

  @Test("intermediate sizes are ImageRecordIter's, and one that does not fit in 32 bits is refused")
  func sizes() throws {
    let preset = try Preset(resize: 32, shape: [3, 48, 70])
    // 40 x 3: 426 x 32, then 639 x 48 as rows are too few.
    let steps = try preset.steps(from: .init(width: 40, height: 3))
    #expect(steps.map(\.destination) == [.init(width: 426, height: 32), .init(width: 639, height: 48)])
    // 30 x 31: 32 x 33, then 46 x 48, then 70 x 73 as columns are too few.
    let narrow = try preset.steps(from: .init(width: 30, height: 31)).map(\.destination)
    #expect(
      narrow == [.init(width: 32, height: 33), .init(width: 46, height: 48), .init(width: 70, height: 73)])
    let error = #expect(throws: ImageError.self) {
      _ = try Preset(resize: 65_535).steps(from: .init(width: 1 << 30, height: 1))
    }
    #expect(error?.reason == .tooLarge(width: Int(Int32.max), height: 65_535, limit: Int(Int32.max)))
  }

  @Test("only the part that is needed of a long thin picture is resized")
  func thin() throws {
    let steps = try Preset(resize: 256).steps(from: .init(width: 1, height: 400))
    #expect(steps.map(\.destination) == [.init(width: 256, height: 102_400)])
    #expect(steps[0].needed == Window(x: 0, y: 199, width: 1, height: 2))
  }

  @Test("every size has its steps, each within the previous picture", arguments: Filter.allCases)
  func anySize(_ filter: Filter) throws {
    var generator = SplitMix64(seed: 31)
    // Short and long sides alike.
    func side(_ bits: Int) -> Int {
      let most = 1 << Int.random(in: 0...bits, using: &generator)
      return Int.random(in: 1...most, using: &generator)
    }
    for _ in 0..<300 {
      let preset = try Preset(
        resize: Bool.random(using: &generator) ? side(12) : nil, shape: [3, side(8), side(8)], filter: filter)
      var size = ResizePlan.Size(width: side(16), height: side(16))
      let steps = try preset.steps(from: size)
      for step in steps {
        #expect(
          Window(x: 0, y: 0, width: size.width, height: size.height).contains(step.needed),
          "\(preset) \(size)")
        size = step.destination
      }
      #expect(steps.last?.kept.width == preset.width && steps.last?.kept.height == preset.height)
    }
  }
}
