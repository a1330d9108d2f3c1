import Hyperparameters
import TestSupport
import Testing

@testable import Reporting

@Suite struct TuningPageTests {
  static func report(_ count: Int, parameters: Int = 3) -> TuningReport {
    var report = TuningReport(name: "a<b>", metric: "validation:accuracy")
    report.status = "Completed"
    report.plannedJobs = count
    report.strategy = "Bayesian"
    for index in 0..<parameters {
      var parameter = TuningReport.Parameter(
        name: index == 1 ? "<script>x\u{202E}" : "p\(index)", scaling: "Linear")
      parameter.isCategorical = index == 1
      parameter.ticks =
        index == 1 ? [(0.25, "\"><b>"), (0.75, "two")] : [(0, "0.0"), (0.5, "5e-05"), (1, "0.0001")]
      parameter.importance = (0.1, 0.25)
      report.parameters.append(parameter)
    }
    for number in 0..<count {
      var job = TuningReport.Job(
        number: number + 1, name: "a-\(number)", status: number == 1 ? "Failed" : "Completed")
      job.values = (0..<parameters).map { $0 == 1 ? "\"><b>" : "\(0.00001234 * Double(number + 1))" }
      job.places = (0..<parameters).map { _ in Double(number) / Double(max(1, count - 1)) }
      job.objective = number == 1 ? nil : 0.5 + Double(number) / 1000
      job.isBest = number == count - 1
      job.reason = number == 1 ? "<img src=x>" : nil
      job.seconds = 3
      report.jobs.append(job)
    }
    return report
  }

  @Test("says which job did best, what it had and what mattered", arguments: [3, 12, 90])
  func figures(_ count: Int) {
    let html = Self.report(count).html()
    #expect(html.contains("Job \(count) did best: p0 "))
    #expect(html.contains("\(count) (best)") && html.contains("25.00\u{A0}%"))
    for id in ["parallel", "history", "parameter-1", "parameter-3", "importance-table", "jobs-table"] {
      #expect(html.contains("id=\"\(id)\""), "\(id)")
    }
    #expect(html.contains("line-wrong") && html == Self.report(count).html())
  }

  @Test("no name or value can become markup, and nothing is asked of anybody")
  func safe() {
    let html = Self.report(5).html()
    #expect(html.components(separatedBy: "<script").count == 3 && html.contains("&lt;script&gt;"))
    #expect(!html.contains("\"><b>") && !html.contains("<img") && !html.contains("\u{202E}"))
    #expect(html.contains("default-src 'none'") && !html.contains("://"))
  }

  @Test("without any job, and without any value, there is still a page")
  func empty() {
    var report = Self.report(0)
    #expect(report.html().contains("No job has an objective yet"))
    report = Self.report(2)
    report.jobs[0].objective = nil
    report.jobs[1].isBest = false
    #expect(report.html().contains("2 jobs began, 1 failed") && !report.html().contains("id=\"parallel\""))
  }

  @Test("thirty hyperparameters: the drawing has the most important ones, the table all")
  func many() {
    let html = Self.report(9, parameters: 30).html()
    #expect(html.contains("23 hyperparameters of less importance are only in the table"))
    #expect(html.contains("id=\"parameter-30\""))
  }

  @Test(
    "numbers of a configuration are short, words are as they are",
    arguments: [
      ("0.0014052555558070803", "0.00141"), ("1.9528784791819668e-06", "1.95e-6"),
      ("0.2823589587640384", "0.282"),
      ("32", "32"), ("adam", "adam"), ("1e-05", "1e-5"), ("-0.5", "\u{2212}0.5"), ("0.99999", "1"),
      ("123456.7", "1.23e5"),
    ])
  func short(_ row: (text: String, short: String)) { #expect(TuningPage.short(row.text) == row.short) }
}
