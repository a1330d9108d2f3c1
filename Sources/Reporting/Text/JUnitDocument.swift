/// A JUnit document of one suite: what Jenkins, GitLab and the common GitHub actions read.
///
/// The attributes and their order of nesting are those of the xunit plugin's junit-10.xsd. Every text passes
/// `visible`, which leaves no character that XML forbids, and no line end that a parser would turn into a blank.
struct JUnitDocument {
  struct Case {
    var name: String
    /// Of a failed case: one line, and all of it.
    var failure: (message: String, body: String)?
    var output: String?
  }
  let suite: String
  var properties: [(name: String, value: String)] = []
  private(set) var cases: [(className: String, test: Case)] = []
  private var names: [String: Int] = [:]

  init(suite: String) { self.suite = suite }

  /// Servers take cases of one name for one test: a name that comes again gets a number.
  mutating func add(_ test: Case, to className: String) {
    var test = test
    test.name = shortened(visible(test.name), to: 200)
    let key = className + "\n" + test.name
    let count = names[key, default: 0] + 1
    names[key] = count
    if count > 1 { test.name += " (\(count))" }
    cases.append((className, test))
  }

  var text: String {
    let failures = cases.count { $0.test.failure != nil }
    let counts = "tests=\"\(cases.count)\" failures=\"\(failures)\" errors=\"0\""
    var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    text += "<testsuites name=\(quoted(suite)) \(counts) time=\"0\">\n"
    text += "  <testsuite name=\(quoted(suite)) \(counts) skipped=\"0\" time=\"0\">\n"
    if !properties.isEmpty {
      text += "    <properties>\n"
      for (name, value) in properties {
        text += "      <property name=\(quoted(name)) value=\(quoted(value))/>\n"
      }
      text += "    </properties>\n"
    }
    for (className, test) in cases { add(test, className, to: &text) }
    text += "  </testsuite>\n</testsuites>\n"
    return text
  }

  private func add(_ test: Case, _ className: String, to text: inout String) {
    text += "    <testcase classname=\(quoted(className)) name=\(quoted(test.name)) time=\"0\""
    if test.failure == nil && test.output == nil {
      text += "/>\n"
      return
    }
    text += ">\n"
    if let failure = test.failure {
      text +=
        "      <failure message=\(quoted(failure.message)) type=\"failure\">\(lines(failure.body))</failure>\n"
    }
    if let output = test.output { text += "      <system-out>\(lines(output))</system-out>\n" }
    text += "    </testcase>\n"
  }

  private func quoted(_ value: String) -> String {
    "\"\(escapedMarkup(shortened(visible(value), to: 1000)))\""
  }

  /// Text of several lines.
  private func lines(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { escapedMarkup(visible(String($0))) }
      .joined(separator: "\n")
  }
}
