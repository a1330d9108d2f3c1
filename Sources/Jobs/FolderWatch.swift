import Dispatch
import Glibc

/// Says when something in a folder was written, made or renamed: inotify, so nothing is asked in vain.
final class FolderWatch {
  /// One for any number of changes that were not taken yet. Ends with `finish`.
  let changes: AsyncStream<Void>
  private let changed: AsyncStream<Void>.Continuation
  private let source: any DispatchSourceRead

  /// - Throws: where the folder is not there, or the system watches no more.
  init(_ folder: String) throws(JobError) {
    let descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
    guard descriptor >= 0 else {
      throw JobError(.system(what: "the folder cannot be watched", code: errno), path: folder)
    }
    let kinds = UInt32(IN_MODIFY) | UInt32(IN_CREATE) | UInt32(IN_MOVED_TO) | UInt32(IN_CLOSE_WRITE)
    guard unsafe inotify_add_watch(descriptor, folder, kinds) >= 0 else {
      let code = errno
      close(descriptor)
      throw JobError(.system(what: "the folder cannot be watched", code: code), path: folder)
    }
    let (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    (self.changes, self.changed) = (changes, changed)
    source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: .global())
    source.setEventHandler {
      var events = [UInt8](repeating: 0, count: 1 << 14)
      let size = events.count
      while unsafe events.withUnsafeMutableBytes({ unsafe read(descriptor, $0.baseAddress, size) }) > 0 {}
      changed.yield()
    }
    source.setCancelHandler { close(descriptor) }
    source.resume()
  }

  func finish() { changed.finish() }

  deinit {
    changed.finish()
    source.cancel()
  }
}
