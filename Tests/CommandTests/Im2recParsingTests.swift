import Terminal
import Testing

@testable import im2rec

@Suite("im2rec's command line")
struct Im2recParsingTests {
  @Test("no option means im2rec.py's defaults")
  func defaults() throws {
    #expect(try parse(["p", "r"]) == .run(options { _ in }, warnings: []))
  }

  @Test(
    "an option is understood in every spelling that argparse takes",
    arguments: [
      Line("--list p r") { $0.list = true },
      Line("--li p r") { $0.list = true },
      Line("p --list r") { $0.list = true },
      Line("p r --list") { $0.list = true },
      Line("--rec --list p r") { ($0.recursive, $0.list) = (true, true) },
      Line("--train 0.8 --test=.1 --list p r") { ($0.trainRatio, $0.testRatio, $0.list) = (0.8, 0.1, true) },
      Line("--train-ratio 1e-1 --list p r") { ($0.trainRatio, $0.list) = (0.1, true) },
      Line("--no-shuffle --list p r") { ($0.shuffle, $0.list) = (false, true) },
      Line("--chunks +1_0 --list p r") { ($0.chunks, $0.list) = (10, true) },
      Line("p r --exts .a .b") { $0.extensions = [".a", ".b"] },
      Line("--exts .a .b -- p r") { $0.extensions = [".a", ".b"] },
      Line("--exts=.a p r") { $0.extensions = [".a"] },
      Line("--exts .a --exts .b -- p r") { $0.extensions = [".b"] },
      Line("--color -1 p r") { $0.color = -1 },
      Line("--color=-1 p r") { $0.color = -1 },
      Line("--col 0 p r") { $0.color = 0 },
      Line("--resize 256 --quality 80 p r") { ($0.resize, $0.quality) = (256, 80) },
      Line("--q 80 p r") { $0.quality = 80 },
      Line("--center-crop --pack-label p r") {
        ($0.centerCrop, $0.packLabel) = (true, true)
      },
      Line("--pass p r") { $0.passThrough = true },
      Line("--encoding .png p r") { $0.encoding = .png },
      Line("--num-thread 16 p r") { $0.threads = 16 },
      Line("--num-thread 0 p r") { $0.threads = 1 },
      Line("--num-thread 100000 p r") { $0.threads = 256 },
      Line("--keep-damaged --strict --quiet --max-pixels 99 p r") {
        ($0.keepDamaged, $0.strict, $0.quiet, $0.maximumPixelCount) = (true, true, true, 99)
      },
      Line("-- --list -1") { ($0.prefix, $0.root) = ("--list", "-1") },
      Line("p -1.5") { $0.root = "-1.5" },
      Line("- r") { $0.prefix = "-" },
    ])
  func spellings(_ line: Line) throws {
    #expect(try parse(words(line.text)) == .run(options(line.change), warnings: []))
  }

  @Test("an argument with a space in it is a value, whatever it starts with")
  func spaces() throws {
    #expect(try parse(["-my photos", "r"]) == .run(options { $0.prefix = "-my photos" }, warnings: []))
  }

  @Test(
    "wrong usage is named",
    arguments: [
      ("", "the prefix and the root folder are missing"),
      ("p", "the root folder is missing after the prefix 'p'"),
      ("p r x", "unexpected arguments: 'x' after the prefix 'p' and the root 'r'"),
      (
        "--exts .a p r",
        "the prefix and the root folder are missing: --exts takes every word after it; write -- before the prefix"
      ),
      ("--resise 3 p r", "there is no option --resise; did you mean --resize?"),
      ("-resize=480 p r", "there is no option -resize=480; did you mean --resize?"),
      ("--inter-method 3 p r", "there is no option --inter-method"),
      ("--re 3 p r", "--re is ambiguous: it could be --recursive or --resize"),
      ("--c 1 p r", "--c is ambiguous: it could be --chunks, --center-crop or --color"),
      ("--resize p", "--resize takes a whole number, not 'p'"),
      ("--resize", "--resize needs a value after it"),
      ("--resize --list p r", "--resize needs a value after it"),
      ("--resize -- 3 p r", "--resize needs a value after it"),
      ("--exts --list p r", "--exts needs one or more values after it"),
      ("p r --exts=", "--exts takes extensions such as .jpg, not an empty one"),
      ("--resize 2.5 p r", "--resize takes a whole number, not '2.5'"),
      ("--resize 1__0 p r", "--resize takes a whole number, not '1__0'"),
      ("--resize 99999999999999999999 p r", "--resize takes a whole number, not '99999999999999999999'"),
      ("--resize -3 p r", "--resize takes a number from 0 to 1000000, not -3"),
      ("--chunks 0 p r", "--chunks takes a number from 1 to 1000000, not 0"),
      ("--train-ratio nan p r", "--train-ratio takes a share from 0 to 1, not nan"),
      ("--train-ratio 0x1p-1 p r", "--train-ratio takes a number, not '0x1p-1'"),
      ("--test-ratio 1.5 p r", "--test-ratio takes a share from 0 to 1, not 1.5"),
      ("--color 2 p r", "--color takes -1, 0 or 1, not 2"),
      ("--encoding jpg p r", "--encoding takes .jpg or .png, not 'jpg'"),
      ("--list=maybe p r", "--list takes no value, but is given 'maybe'"),
    ])
  func wrongUsage(_ line: String, _ sentence: String) {
    #expect(throws: UsageError(sentence)) { try parse(words(line)) }
  }

  @Test(
    "the booleans of MXNet 1.0 are understood, with a warning",
    arguments: [
      Line("--list True --recursive 1 p r", warnings: 2) { ($0.list, $0.recursive) = (true, true) },
      Line("--list True --recursive True p r/", warnings: 2) {
        ($0.list, $0.recursive, $0.root) = (true, true, "r/")
      },
      Line("p r --list 1 --shuffle False", warnings: 2) { ($0.list, $0.shuffle) = (true, false) },
      Line("--shuffle 1 --list true p r", warnings: 2) { ($0.list, $0.shuffle) = (true, true) },
      Line("--list --shuffle p r", warnings: 1) { $0.list = true },
      Line("--no-shuffle True --list 1 p r", warnings: 2) { ($0.list, $0.shuffle) = (true, false) },
      Line("--pack-label True --center-crop 0 --pass-through False p r", warnings: 3) { $0.packLabel = true },
      Line("--list=True p r", warnings: 1) { $0.list = true },
    ])
  func oldBooleans(_ line: Line) throws {
    guard case .run(let parsed, let warnings) = try parse(words(line.text)) else {
      Issue.record("help instead of options")
      return
    }
    #expect(parsed == options(line.change))
    #expect(warnings.count == line.warningCount, "\(warnings)")
  }

  @Test("a prefix with the name of a boolean stays a prefix")
  func booleanPrefix() throws {
    #expect(
      try parse(words("--list 1 photos"))
        == .run(options { ($0.list, $0.prefix, $0.root) = (true, "1", "photos") }, warnings: []))
  }

  @Test(
    "what im2rec.py skips silently is reported",
    arguments: [
      ("--list p r --exts jpg", "--exts jpg is read as .jpg; im2rec.py would find no file with 'jpg'"),
      ("--list p r --exts .PNG", "--exts .PNG is read as .png; im2rec.py would find no file with '.PNG'"),
      (
        "--list p r --test-ratio 0.2",
        "--test-ratio has no effect if --train-ratio is 1: all images are in one list"
      ),
      (
        "--list p r --train-ratio 0.75 --test-ratio 0.5",
        "--train-ratio and --test-ratio add up to 1.25, more than 1: the training list gets what is left"
      ),
      (
        "--pass-through --resize 9 --quality 3 p r",
        "--resize, --quality have no effect: --pass-through keeps the files unchanged"
      ),
      ("--quality 101 p r", "--quality 101 is out of range; 100 is used"),
      ("--encoding .png --quality 95 p r", "--quality 95 is out of range; 9 is used"),
    ])
  func warned(_ line: String, _ sentence: String) throws {
    guard case .run(_, let warnings) = try parse(words(line)) else {
      Issue.record("help instead of options")
      return
    }
    #expect(warnings == [sentence])
  }

  @Test(
    "help is shown wherever the option stands", arguments: ["-h", "--help", "--he p", "--chunks x -h p r"])
  func help(_ line: String) throws {
    #expect(try parse(words(line)) == .help)
  }

  @Test(
    "the version is shown wherever the option stands", arguments: ["--version", "--ver p", "--version p r"])
  func version(_ line: String) async throws {
    #expect(try parse(words(line)) == .version)
    let im2rec = Im2recRun()
    #expect(await im2rec(words(line)) == ExitStatus.done)
    #expect(im2rec.data == "\(programVersion)\n" && im2rec.words.isEmpty)
  }

  @Test("help names every option and fits 88 columns")
  func helpIsWhole() {
    for option in Switch.allCases where option != .shuffle {
      #expect(helpText.contains(option.spelling), "\(option.spelling)")
    }
    for line in helpText.split(separator: "\n") { #expect(line.count <= 88, "\(line)") }
  }

  /// A command line, and what it changes of the defaults.
  struct Line: Sendable, CustomTestStringConvertible {
    let text: String
    let warningCount: Int
    let change: @Sendable (inout Options) -> Void
    var testDescription: String { text }

    init(_ text: String, warnings: Int = 0, _ change: @escaping @Sendable (inout Options) -> Void) {
      self.text = text
      warningCount = warnings
      self.change = change
    }
  }

  private func words(_ line: String) -> [String] { line.split(separator: " ").map(String.init) }

  private func options(_ change: (inout Options) -> Void) -> Options {
    var options = Options()
    (options.prefix, options.root) = ("p", "r")
    change(&options)
    return options
  }
}
