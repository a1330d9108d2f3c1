import Files
import Foundation
import Glibc
import Records
import TestSupport
import Testing

@testable import Packing

@Suite("Converting a folder of class folders")
struct ConvertTests {
  private func options(_ split: Split?) -> ListingOptions {
    var options = ListingOptions()
    options.split = split
    return options
  }

  @Test("names the outputs as the notebook does, and keeps the label of a class without images")
  func outputs() async throws {
    try await withScratchFolder { folder in
      let set = try makeDataSet(in: folder, classes: ["001.ak47", "003.backpack"], count: 8)
      mkdir(set.root + "/002.american-flag", 0o777)
      writeScratchFile(set.root + "/stray.jpg", try smallImage(1))
      let summary = try await convert(
        root: set.root, prefix: folder + "/caltech", listing: options(.perClass(6, allowSmallClasses: false)),
        packing: PackOptions())
      let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
        $0.hasPrefix("caltech")
      }.sorted()
      #expect(
        names
          == [
            "caltech-60-train.idx", "caltech-60-train.lst", "caltech-60-train.rec", "caltech-60-val.idx",
            "caltech-60-val.lst", "caltech-60-val.rec", "caltech-classes.txt", "caltech-report.json",
          ].map { $0.replacing("60", with: "6") })
      #expect(
        try String(contentsOfFile: folder + "/caltech-classes.txt", encoding: .utf8)
          == "001.ak47\n002.american-flag\n003.backpack\n")
      #expect(summary.splits["train"]?.records == 12)
      #expect(summary.splits["val"]?.records == 4)
      #expect(try info(folder + "/caltech-6-train.rec").labels == ["0": 6, "2": 6])
      #expect(summary.warnings.contains { $0.contains("002.american-flag") })
      #expect(summary.skipped.map(\.path) == ["stray.jpg"])
      #expect(summary.skippedCount == 1)
    }
  }

  @Test("gives the same files again, the report included, and leaves the old ones where it fails")
  func again() async throws {
    try await withScratchFolder { folder in
      let set = try makeDataSet(in: folder)
      func run() async throws {
        _ = try await convert(
          root: set.root, prefix: folder + "/x", listing: options(.perClass(6, allowSmallClasses: false)),
          packing: PackOptions())
      }
      func files() throws -> [String: [UInt8]?] {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix("x-") }
        return Dictionary(uniqueKeysWithValues: names.map { ($0, contents(folder + "/" + $0)) })
      }
      try await run()
      let first = try files()
      try await run()
      #expect(try files() == first)
      await #expect(throws: SplitError.self) {
        _ = try await convert(
          root: set.root, prefix: folder + "/x", listing: options(.perClass(10, allowSmallClasses: false)),
          packing: PackOptions())
      }
      #expect(try files() == first)
    }
  }

  @Test("counts what it passes over, says it, and refuses it where it is strict")
  func passedOver() async throws {
    try await withScratchFolder { folder in
      let set = try makeDataSet(in: folder)
      for name in ["a/x.webp", "a/y.webp", "c/z.webp", "b/notes.txt", "a/._0.jpg", "__MACOSX/0.jpg"] {
        writeScratchFile(set.root + "/" + name, [1])
      }
      writeScratchFile(set.root + "/b/more.jfif", try smallImage(99))
      var options = options(.perClass(6, allowSmallClasses: false))
      let summary = try await convert(
        root: set.root, prefix: folder + "/x", listing: options, packing: PackOptions())
      #expect(summary.passedOver.map(\.kind) == [".webp", ".txt"] && summary.skippedCount == 3)
      #expect(summary.splits["val"]?.records == 9)
      #expect(
        summary.warnings.contains(
          "3 .webp files were passed over, e.g. a/x.webp; only JPEG and PNG files are read"))
      #expect(
        summary.warnings.contains(
          "c: 1 .webp file was passed over, so the class has no image; it keeps its label"))
      let report = String(decoding: contents(folder + "/x-report.json") ?? [], as: UTF8.self)
      #expect(report.contains("\"passed_over\"") && report.contains("\"example\" : \"b/notes.txt\""))
      options.strict = true
      #expect(
        throws: PackingError(
          .strict(Skip(path: "a/x.webp", reason: "3 .webp files were passed over, e.g. a/x.webp")))
      ) {
        _ = try makeLists(root: set.root, prefix: folder + "/x", options: options)
      }
      options.excluding = ["*.webp", "c"]
      let strict = try makeLists(root: set.root, prefix: folder + "/x", options: options)
      #expect(strict.imageCount == 21 && strict.notes.count == 2)
    }
  }

  @Test("says what folders that are hardly classes look like, and refuses them where it is strict")
  func layouts() throws {
    try withScratchFolder { folder in
      let set = try makeDataSet(
        in: folder, classes: ["train/cat", "train/dog", "val/cat", "val/dog"], count: 3)
      var options = options(nil)
      let listing = try makeLists(root: set.root, prefix: folder + "/x", options: options)
      #expect(
        listing.warnings.first?.hasPrefix(
          "\(set.root): the class folders are called train and val and have the same folders below (cat and dog)"
        ) == true)
      options.strict = true
      let error = #expect(throws: PackingError.self) {
        _ = try makeLists(root: set.root, prefix: folder + "/x", options: options)
      }
      #expect(error?.reason == .layout(error?.description ?? ""))
    }
  }

  @Test("warns of class folders that look alike")
  func lookAlikes() throws {
    try withScratchFolder { folder in
      let set = try makeDataSet(in: folder, classes: ["\u{e9}", "e\u{301}", "Fox", "fox"], count: 2)
      let listing = try makeLists(root: set.root, prefix: folder + "/x", options: options(nil))
      #expect(listing.classes.count == 4 && listing.imageCount == 8)
      #expect(listing.warnings.count { $0.contains("differ only in") } == 2)
    }
  }

  @Test(
    "is held by one run at a time: a second run of the prefix is refused, and the lock file is never an input"
  )
  func lock() async throws {
    try await withScratchFolder { folder in
      let set = try makeDataSet(in: folder)
      let prefix = set.root + "/x"
      func run() async throws -> ConvertSummary {
        try await convert(
          root: set.root, prefix: prefix, listing: options(.perClass(6, allowSmallClasses: false)),
          packing: PackOptions())
      }
      do {
        let lock = try OutputLock(prefix: prefix)
        defer { withExtendedLifetime(lock) {} }
        let error = await #expect(throws: FileError.self) { _ = try await run() }
        #expect(
          error?.description.hasPrefix("\(prefix): it is in use by process \(getpid()), since ") == true)
        let listing = try makeLists(root: set.root, prefix: prefix, options: options(nil))
        #expect(listing.notes.isEmpty && listing.passedOver.isEmpty)
        #expect(throws: FileError.self) { try writeLists(listing, prefix: prefix) }
        #expect(contents(prefix + ".lst") == nil)
      }
      #expect(try await run().splits["train"]?.records == 12)
      #expect(!scratchNames(set.root).contains { $0.hasSuffix(".lock") })
      let packing = try OutputLock(prefix: folder + "/p.rec")
      defer { withExtendedLifetime(packing) {} }
      await #expect(throws: FileError.self) {
        _ = try await pack(list: set.list, root: set.root, output: folder + "/p.rec", options: PackOptions())
      }
    }
  }

  @Test("refuses a folder without images, without class folders, and one that is not there")
  func nothing() async {
    await withScratchFolder { folder in
      mkdir(folder + "/empty", 0o777)
      mkdir(folder + "/classes", 0o777)
      mkdir(folder + "/classes/a", 0o777)
      for root in ["empty", "classes", "none"] {
        await #expect(throws: (any Error).self, "\(root)") {
          _ = try await convert(
            root: folder + "/" + root, prefix: folder + "/x", listing: options(nil), packing: PackOptions())
        }
      }
    }
  }

  @Test("lists without a split are those of everything; folds validate each image once")
  func lists() throws {
    try withScratchFolder { folder in
      let set = try makeDataSet(in: folder)
      let all = try makeLists(root: set.root, prefix: folder + "/x", options: options(nil))
      #expect(all.parts.map(\.path) == [folder + "/x.lst"])
      #expect(all.parts[0].entries.count == 20)
      let folds = try makeLists(root: set.root, prefix: folder + "/x", options: options(.folds(3)))
      #expect(folds.parts.count == 6)
      let validated = folds.parts.filter { $0.key.hasSuffix("val") }.flatMap { $0.entries.map(\.path) }
      #expect(validated.sorted() == all.parts[0].entries.map(\.path).sorted())
    }
  }
}
