import Files
import Foundation
import Imaging
import TestSupport
import Testing

@testable import Packing

@Suite("Resuming")
struct ResumeTests {
  /// A run that is cancelled once `count` images are taken.
  private func interrupt(
    _ list: String, _ root: String, _ output: String, _ options: PackOptions, after count: Int
  )
    async throws
  {
    let task = Task {
      try await pack(list: list, root: root, output: output, options: options) { progress in
        if progress.done >= count { withUnsafeCurrentTask { $0?.cancel() } }
      }
    }
    await #expect(throws: CancellationError.self) { _ = try await task.value }
    #expect(contents(output) == nil)
  }

  @Test(
    "the journal keeps a reason to the byte, in one line",
    arguments: ["", "a\tb", "a\r\nb", "a\\n\\", "\\\u{301}\n\u{301}", "\u{301}\tx\r"])
  func reasons(_ reason: String) throws {
    for source in [nil, FileStamp(byteCount: 7, modifiedNanoseconds: -1)] {
      let line = JournalLine.skip(reason: reason, source: source)
      var reader = JournalReader(Array((line.text + JournalLine.end(byteCount: 1).text).utf8))
      guard let text = reader.next(), case .skip(let found, let stamp) = JournalLine(text) else {
        Issue.record("\(line.text.debugDescription)")
        continue
      }
      #expect(found.utf8.elementsEqual(reason.utf8) && stamp == source)
      #expect(reader.next() == "=\t1" && reader.next() == nil)
    }
  }

  private func options(resume: Bool) -> PackOptions {
    var options = PackOptions()
    options.resume = resume
    options.resize = 24
    options.jobs = 2
    return options
  }

  @Test(
    "goes on after the whole records and ends with the bytes of an undisturbed run", arguments: [1, 7, 19])
  func goesOn(after count: Int) async throws {
    try await withScratchFolder { folder in
      let set = try makeDataSet(in: folder)
      writeScratchFile(set.root + "/a/2.jpg", [1, 2, 3])
      writeScratchFile(set.root + "/a/0.jpg", try smallImage(0).dropLast(2))
      let undisturbed = try await pack(
        list: set.list, root: set.root, output: folder + "/u.rec", options: options(resume: false))
      try await interrupt(set.list, set.root, folder + "/x.rec", options(resume: false), after: count)
      let summary = try await pack(
        list: set.list, root: set.root, output: folder + "/x.rec", options: options(resume: true))
      #expect(summary.resumed >= 1)
      #expect(summary.records == 19)
      #expect(summary.skipped == undisturbed.skipped)
      #expect(summary.doubtful == undisturbed.doubtful && summary.doubtful.map(\.path) == ["a/0.jpg"])
      #expect(contents(folder + "/x.rec") == contents(folder + "/u.rec"))
      #expect(contents(folder + "/x.idx") == contents(folder + "/u.idx"))
      #expect(try leftovers(folder).isEmpty)
    }
  }

  @Test(
    "checks what it finds", arguments: ["flipped", "cut", "journal cut", "journal lost", "source changed"])
  func checks(damage: String) async throws {
    try await withScratchFolder { folder in
      let set = try makeDataSet(in: folder)
      try await interrupt(set.list, set.root, folder + "/x.rec", options(resume: false), after: 16)
      let partial = folder + "/x.rec.partial"
      let journal = folder + "/x.rec.journal.partial"
      switch damage {
      case "flipped":
        var bytes = try #require(contents(partial))
        bytes[bytes.count / 2] ^= 1
        writeScratchFile(partial, bytes)
      case "cut": writeScratchFile(partial, try #require(contents(partial)).dropLast(100))
      case "journal cut": writeScratchFile(journal, try #require(contents(journal)).dropLast(10))
      case "journal lost": try FileManager.default.removeItem(atPath: journal)
      default: writeScratchFile(set.root + "/a/1.jpg", try smallImage(99))
      }
      _ = try await pack(
        list: set.list, root: set.root, output: folder + "/x.rec", options: options(resume: true))
      _ = try await pack(
        list: set.list, root: set.root, output: folder + "/u.rec", options: options(resume: false))
      #expect(contents(folder + "/x.rec") == contents(folder + "/u.rec"))
      #expect(contents(folder + "/x.idx") == contents(folder + "/u.idx"))
    }
  }

  @Test("starts over if the options or the list differ, or if no run was interrupted")
  func startsAfresh() async throws {
    try await withScratchFolder { folder in
      let set = try makeDataSet(in: folder)
      let never = try await pack(
        list: set.list, root: set.root, output: folder + "/never.rec", options: options(resume: true))
      #expect(never.resumed == 0)
      try await interrupt(set.list, set.root, folder + "/x.rec", options(resume: false), after: 10)
      var other = options(resume: true)
      other.quality = 50
      let summary = try await pack(list: set.list, root: set.root, output: folder + "/x.rec", options: other)
      #expect(summary.resumed == 0)
      #expect(summary.records == 20)
    }
  }

  @Test("finishes a run that was interrupted while it gave the files their names", arguments: [true, false])
  func publishing(isRecordFileNamed: Bool) async throws {
    try await withScratchFolder { folder in
      let set = try makeDataSet(in: folder)
      do {
        let (staged, _) = try await stagePack(
          list: set.list, root: set.root, output: folder + "/x.rec", options: options(resume: false)
        ) { _ in }
        if isRecordFileNamed { try staged.publish() }
      }
      let summary = try await pack(
        list: set.list, root: set.root, output: folder + "/x.rec", options: options(resume: true))
      #expect(summary.resumed == 20)
      _ = try await pack(
        list: set.list, root: set.root, output: folder + "/u.rec", options: options(resume: false))
      #expect(contents(folder + "/x.rec") == contents(folder + "/u.rec"))
      #expect(contents(folder + "/x.idx") == contents(folder + "/u.idx"))
      #expect(try leftovers(folder).isEmpty)
    }
  }

  private func leftovers(_ folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".partial") }
  }
}
