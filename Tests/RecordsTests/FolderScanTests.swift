import Files
import Glibc
import TestSupport
import Testing

@testable import Records

@Suite("scanning folders")
struct FolderScanTests {
  /// Makes the files (each a few bytes), scans, and removes them again.
  func scan(
    _ files: [String], folders: [String] = [], links: [(from: String, to: String)] = [],
    layout: FolderScan.Layout, excluding: [String] = [],
    extensions: Set<String> = imageSuffixes
  ) throws -> FolderScan {
    try withScratchFolder { root in
      for file in files { writeScratchFile(root + "/" + file, [1]) }
      for folder in folders { makeScratchFolders(above: root + "/" + folder + "/x") }
      for link in links {
        makeScratchFolders(above: root + "/" + link.from)
        symlink(link.to, root + "/" + link.from)
      }
      return try FolderScan(root: root, layout: layout, extensions: extensions, excluding: excluding)
    }
  }

  func lines(_ scan: FolderScan) -> [String] { scan.images.map { "\($0.classIndex) \($0.path)" } }

  static let tree = [
    "root.jpg", "a/1.jpg", "a/sub/2.jpg", "a-b/3.png", "A/4.JPG", "Z/z.JPeG", "\u{e9}/5.jpg",
    "e\u{301}/6.jpg",
    "b/x.jpg/7.jpg", "c10/10.jpg", "c10/2.jpg", "c2/B.jpg", "c2/a.jpg", "c2/.hidden.jpg", "c2/.jpg",
    "c2/..jpg",
    "c2/notes.txt", "c2/x.jpeg.txt", "c2/ lead.jpg",
  ]

  /// What MXNet 1.9.1's `im2rec.py --list --recursive` gives for this tree: files before folders, code-point order.
  @Test("recursive lists have im2rec.py's order and labels")
  func recursive() throws {
    let scan = try scan(
      Self.tree, folders: ["empty"], links: [("a/zlink", "../Z")], layout: .im2rec(recursive: true))
    #expect(
      lines(scan) == [
        "0 root.jpg", "1 A/4.JPG", "2 Z/z.JPeG", "3 a/1.jpg", "4 a/sub/2.jpg", "5 a/zlink/z.JPeG",
        "6 a-b/3.png",
        "7 b/x.jpg/7.jpg", "8 c10/10.jpg", "8 c10/2.jpg", "9 c2/ lead.jpg", "9 c2/.hidden.jpg", "9 c2/B.jpg",
        "9 c2/a.jpg", "10 e\u{301}/6.jpg", "11 \u{e9}/5.jpg",
      ])
    #expect(scan.images[14].path.utf8.elementsEqual("e\u{301}/6.jpg".utf8))
    #expect(
      scan.classes == [
        ".", "A", "Z", "a", "a/sub", "a/zlink", "a-b", "b/x.jpg", "c10", "c2", "e\u{301}", "\u{e9}",
      ])
    #expect(scan.problems.isEmpty)
    // Shuffled as im2rec.py shuffles it.
    let entries = listEntries(of: .everything(in: scan), in: scan)
    #expect(entries.map(\.id) == [11, 8, 13, 3, 9, 0, 15, 1, 10, 5, 6, 2, 12, 14, 7, 4])
    #expect(entries.first?.line == "11\t9.000000\tc2/.hidden.jpg\n")
    #expect(listEntries(of: .everything(in: scan), in: scan, shuffleSeed: nil).map(\.id) == Array(0..<16))
  }

  @Test("without --recursive the root's files are listed, all of class 0")
  func flat() throws {
    let scan = try scan(
      Self.tree + ["Y.png", "x.gif"], folders: ["dir.jpg"], layout: .im2rec(recursive: false))
    #expect(lines(scan) == ["0 Y.png", "0 root.jpg"])
    #expect(scan.classes == ["."])
    #expect(scan.problems.map(\.path) == ["dir.jpg"])
  }

  @Test("class folders are numbered in code-point order, empty ones too, nested images belong to them")
  func classFolders() throws {
    let scan = try scan(
      [
        "b/2.jpg", "b/10.jpg", "b/deep/er/1.png", "a-b/1.jpg", "B/1.jpg", "a/sub/1.jpg", "readme.txt",
        ".secret/x.jpg", ".git/x.jpg",
      ],
      folders: ["zero", "aa"], layout: .classFolders)
    #expect(scan.classes == ["B", "a", "a-b", "aa", "b", "zero"])
    #expect(
      lines(scan) == [
        "0 B/1.jpg", "1 a/sub/1.jpg", "2 a-b/1.jpg", "4 b/10.jpg", "4 b/2.jpg", "4 b/deep/er/1.png",
      ])
    #expect(scan.emptyClasses.map(\.name) == ["aa", "zero"])
    #expect(scan.imageCounts == [1, 1, 1, 0, 3, 0])
    #expect(scan.nestedImageCount == 2)
    #expect(scan.hiddenFolderCount == 1)
    #expect(scan.problems.isEmpty)
  }

  @Test("what looks like an image but cannot be one is a problem with its reason")
  func problems() throws {
    let scan = try withScratchFolder { root in
      for file in [
        "c/1.jpg", "c/tab\there.jpg", "c/line\nfeed.jpg", "c/cr\rx.jpg", "c/x\ty.txt", "top.jpg",
      ] {
        writeScratchFile(root + "/" + file, [1])
      }
      makeScratchFolders(above: root + "/c/folder.jpg/x")
      makeScratchFolders(above: root + "/c/t\tab/x")
      mkfifo(root + "/c/fifo.jpg", 0o600)
      mkfifo(root + "/c/fifo", 0o600)
      symlink("nowhere", root + "/c/broken.jpg")
      symlink("nowhere", root + "/c/broken.txt")
      symlink("loop.jpg", root + "/c/loop.jpg")
      symlink("fifo", root + "/c/linked.png")
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      let path = Array((root + "/c/s.jpg").utf8)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
      let socket = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
      withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          _ = bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      close(socket)
      let raw: [CChar] = Array((root + "/c/").utf8CString.dropLast()) + [-1, 46, 106, 112, 103, 0]
      close(open(raw, O_CREAT | O_WRONLY, 0o600))
      return try FolderScan(root: root, layout: .classFolders)
    }
    #expect(lines(scan) == ["0 c/1.jpg"])
    let reasons = Dictionary(uniqueKeysWithValues: scan.problems.map { ($0.path, $0.reason) })
    #expect(
      reasons == [
        "top.jpg": "it lies in no class folder",
        "c/tab\\there.jpg": "its name holds a tab, which separates the fields of a list line",
        "c/line\\nfeed.jpg": "its name holds a line feed, which ends a list line",
        "c/cr\\rx.jpg": "its name holds a carriage return, which ends a list line",
        "c/t\\tab": "its name holds a tab, which separates the fields of a list line",
        "c/folder.jpg": "this is a folder, not an image",
        "c/fifo.jpg": "this is a FIFO, not an image", "c/linked.png": "this is a FIFO, not an image",
        "c/broken.jpg": "this link leads nowhere", "c/loop.jpg": "this link leads back to itself",
        "c/s.jpg": "this is a socket, not an image",
        "c/\\xff.jpg": "its name is not UTF-8, which a list has to be",
      ])
  }

  @Test(
    "files that are not listed are counted by kind, with an example and, if its name does not tell, its content"
  )
  func passedOver() throws {
    let scan = try withScratchFolder { root in
      for file in [
        "a/1.jpg", "a/2.webp", "a/deep/3.WEBP", "b/1.jpe", "b/2.jfif", "b/notes.txt", "b/x.bmp", "labels.csv",
        "b/one.2", "b/0001", "c/4.webp", "c/x.tar.gz",
      ] { writeScratchFile(root + "/" + file, Array("text".utf8)) }
      writeScratchFile(root + "/a/0001", [0xff, 0xd8, 0xff, 0xe0])
      writeScratchFile(root + "/c/5.dat", Array("GIF89a".utf8))
      return try FolderScan(root: root, layout: .classFolders)
    }
    #expect(scan.images.map(\.path) == ["a/1.jpg", "b/1.jpe", "b/2.jfif"])
    #expect(
      scan.passedOver == [
        PassedOver(kind: "", count: 3, example: "a/0001", content: "a JPEG image", areImages: true),
        PassedOver(kind: ".bmp", count: 1, example: "b/x.bmp", areImages: true, folder: "b"),
        PassedOver(
          kind: ".dat", count: 1, example: "c/5.dat", content: "a GIF image", areImages: true, folder: "c"),
        PassedOver(kind: ".webp", count: 3, example: "a/2.webp", areImages: true),
        PassedOver(kind: ".csv", count: 1, example: "labels.csv", areImages: false),
        PassedOver(kind: ".gz", count: 1, example: "c/x.tar.gz", areImages: false, folder: "c"),
        PassedOver(kind: ".txt", count: 1, example: "b/notes.txt", areImages: false, folder: "b"),
      ])
    #expect(scan.passedOver[1].sentence == "b: 1 .bmp file was passed over, e.g. b/x.bmp")
    #expect(
      scan.passedOver[0].sentence
        == "3 files without a suffix were passed over, e.g. a/0001, which is a JPEG image")
    #expect(scan.emptyClasses == [.init(name: "c", passedOver: [".webp": 1, ".gz": 1, ".dat": 1])])
    #expect(scan.problems.isEmpty)
  }

  @Test("litter is neither an image nor a class nor a file that is passed over; im2rec.py's layout lists it")
  func litter() throws {
    let tree = [
      "a/1.jpg", "a/._1.jpg", "a/.DS_Store", "a/Thumbs.db", "a/__MACOSX/2.jpg", "__MACOSX/a/3.jpg",
      "$RECYCLE.BIN/4.jpg", "System Volume Information/x", "@eaDir/5.jpg", ".ipynb_checkpoints/6.jpg",
      "desktop.ini", "p.imrec.lock", "a/~$x.jpg",
    ]
    let scan = try scan(tree, layout: .classFolders)
    #expect(scan.classes == ["a"] && scan.images.map(\.path) == ["a/1.jpg"])
    #expect(scan.litterCount == 11 && scan.litterExample == "$RECYCLE.BIN")
    #expect(scan.passedOver.isEmpty && scan.problems.isEmpty && scan.hiddenFolderCount == 0)
    let images = try self.scan(tree, layout: .images)
    #expect(images.images.map(\.path) == ["a/1.jpg"] && images.litterCount == 11)
    let im2rec = try self.scan(tree, layout: .im2rec(recursive: true))
    #expect(im2rec.images.count == 8 && im2rec.litterCount == 0)
  }

  @Test("patterns also leave out files that are not images")
  func excludedKinds() throws {
    let scan = try scan(
      ["a/1.jpg", "a/2.webp", "b/3.webp", "b/4.jpg"], layout: .classFolders, excluding: ["a/*.webp"])
    #expect(scan.passedOver.map(\.count) == [1] && scan.unmatchedPatterns.isEmpty)
  }

  @Test(
    "a loop of links is entered once, and reported",
    arguments: [FolderScan.Layout.im2rec(recursive: true), .classFolders])
  func loops(_ layout: FolderScan.Layout) throws {
    let scan = try scan(
      ["c/1.jpg", "c/d/2.jpg"], links: [("c/up", ".."), ("c/d/same", "."), ("c/d/abs", "../../c")],
      layout: layout)
    #expect(scan.images.map(\.path) == ["c/1.jpg", "c/d/2.jpg"])
    #expect(scan.problems.map(\.path) == ["c/d/abs", "c/d/same", "c/up"])
  }

  @Test("im2rec.py's layout lists a folder by each of its names, class folders only by the first")
  func twice() throws {
    let (files, links) = (
      ["a/1.jpg"], [(from: "b", to: "a"), (from: "a/z", to: "../c"), (from: "c/x", to: "../a")]
    )
    let im2rec = try scan(files, links: links, layout: .im2rec(recursive: true))
    #expect(lines(im2rec) == ["0 a/1.jpg", "1 b/1.jpg", "2 c/x/1.jpg"])
    let folders = try scan(files, links: links, layout: .classFolders)
    #expect(lines(folders) == ["0 a/1.jpg"])
    #expect(folders.classes == ["a", "b", "c"])
    #expect(folders.emptyClasses.map(\.name) == ["b", "c"])
    #expect(folders.problems.contains { $0.path == "b" && $0.reason.contains("the same folder as a") })
  }

  @Test(
    "patterns leave out class folders before labels are given, and paths; one that matches nothing is named")
  func exclusion() throws {
    let scan = try scan(
      ["257.clutter/1.jpg", "a/1.jpg", "a/old/2.jpg", "b/1.png", "b/2.jpg", "c/1.jpg"], layout: .classFolders,
      excluding: ["*.clutter", "a/old", "b/*.png", "dogs"])
    #expect(lines(scan) == ["0 a/1.jpg", "1 b/2.jpg", "2 c/1.jpg"])
    #expect(scan.excludedCount == 3)
    #expect(scan.unmatchedPatterns == ["dogs"])
  }

  @Test("the extension is what Python's splitext says, in lower case")
  func extensions() throws {
    let scan = try scan(
      [
        "c/a.JPG", "c/a.jpg.txt", "c/a.b.Png", "c/.jpg", "c/...jpg", "c/..a.jpg", "c/jpg", "c/a.", "c/a.webp",
      ],
      layout: .classFolders)
    #expect(scan.images.map(\.path) == ["c/..a.jpg", "c/a.JPG", "c/a.b.Png"])
    let other = try self.scan(
      ["c/a.WEBP", "c/b.\u{c9}", "c/c.jpg"], layout: .classFolders, extensions: [".webp", ".\u{e9}"])
    #expect(other.images.map(\.path) == ["c/a.WEBP", "c/b.\u{c9}"])
  }

  @Test("a root that is missing, a file, or without class folders is an error")
  func roots() throws {
    withScratchFolder { root in
      writeScratchFile(root + "/file.jpg", [1])
      for (path, words) in [
        (root + "/none", "there is no such file or folder"), (root + "/file.jpg", "is a file, not a folder"),
        (root, "there is no class folder here; one folder for each class is expected"),
      ] {
        let error = #expect(throws: ScanError.self) { try FolderScan(root: path, layout: .classFolders) }
        #expect(error?.description.hasPrefix(path) == true && error?.description.contains(words) == true)
      }
      let empty = try? FolderScan(root: root, layout: .im2rec(recursive: true), extensions: [".png"])
      #expect(empty?.images.isEmpty == true && empty?.classes.isEmpty == true)
    }
  }

  @Test("folders deeper than a path can be are a problem, and what lies above is listed")
  func deep() throws {
    try withScratchFolder { root in
      writeScratchFile(root + "/c/1.jpg", [1])
      // Deeper than 4096 bytes, which only relative steps can make.
      let name = String(repeating: "d", count: 250)
      var descriptor = open(root + "/c", O_RDONLY)
      for _ in 0..<20 {
        mkdirat(descriptor, name, 0o755)
        let next = openat(descriptor, name, O_RDONLY)
        close(descriptor)
        descriptor = next
      }
      close(descriptor)
      let scan = try FolderScan(root: root, layout: .classFolders)
      #expect(scan.images.map(\.path) == ["c/1.jpg"])
      #expect(
        scan.problems.count == 1
          && scan.problems[0].reason == "its name or path is longer than the system allows")
    }
  }

  @Test(
    "a cancelled task stops walking",
    arguments: [FolderScan.Layout.classFolders, .im2rec(recursive: true)])
  func cancelled(layout: FolderScan.Layout) async throws {
    await withScratchFolder { root in
      for folder in 0..<5 {
        writeScratchFile("\(root)/\(folder)/a.jpg", [])
      }
      let task = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        return try? FolderScan(root: root, layout: layout)
      }
      #expect(await (task.value?.images.count ?? 0) == 0)
    }
  }

  @Test("names of 255 bytes, quotes, blanks and case twins are listed as they are")
  func names() throws {
    let names = [
      "\"q\".jpg", "'.jpg", " .jpg", "A.jpg", "a.jpg", String(repeating: "n", count: 251) + ".jpg",
    ]
    let scan = try scan(names.map { "c/" + $0 }, layout: .classFolders)
    #expect(Set(scan.images.map(\.path)) == Set(names.map { "c/" + $0 }))
    let lines = listEntries(of: .everything(in: scan), in: scan).map(\.line).joined()
    let read = try ListEntryTests.read(lines.utf8)
    #expect(read.count == names.count)
    for case .bad(let reason, _, _) in read { Issue.record("\(reason)") }
  }
}
