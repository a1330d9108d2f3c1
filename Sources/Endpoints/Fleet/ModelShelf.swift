import HTTP
public import Imaging
public import Inference
import Networks

/// Loads a model and makes its classifier. Loading may block, but only a thread of the loader's own.
public protocol ModelLoading: Sendable {
  /// - Throws: why the model cannot be used; the error's description is shown to the user.
  func load(_ model: ModelPlan, on cores: Cores) async throws -> Classifier
}

/// Loads models from files, one at a time, on a dedicated thread.
public struct FileModelLoader: ModelLoading {
  private let thread = OwnThreads()
  private let decoding: DecodeOptions

  /// - Parameter decoding: limits on the size of images to decode.
  public init(decoding: DecodeOptions = .service) { self.decoding = decoding }

  public func load(_ model: ModelPlan, on cores: Cores) async throws -> Classifier {
    try await thread.run { [decoding] in
      var options = ClassifierOptions()
      options.cores = cores
      options.decoding = decoding
      return try Classifier(model: model.path, options: options)
    }
  }
}

/// The models in memory. Each is loaded and warmed up once, however many variants and endpoints use it, and
/// is released when its last user gives it back.
actor ModelShelf {
  private struct Entry {
    let loading: Task<Classifier, any Error>
    var users: Int
  }
  private var entries: [ModelPlan.Key: Entry] = [:]
  private let loader: any ModelLoading
  private let cores: Cores
  private let limit: Int

  init(_ loader: any ModelLoading, cores: Cores, limit: Int) {
    self.loader = loader
    self.cores = cores
    self.limit = limit
  }

  var count: Int { entries.count }

  func users(of key: ModelPlan.Key) -> Int { entries[key]?.users ?? 0 }

  /// Returns a loaded and warmed-up model; the caller must call `giveBack` exactly once.
  ///
  /// - Throws: `EndpointError`; then `giveBack` must not be called.
  func take(_ model: ModelPlan) async throws(EndpointError) -> Classifier {
    let key = model.key
    if entries[key] == nil {
      guard entries.count < limit else {
        throw EndpointError(
          .tooMany, "all \(limit) model slots are in use; delete an endpoint first")
      }
      let (loader, cores) = (loader, cores)
      // Not a child task: everyone who waits for the model shares it, and cancelling one of them must not
      // cancel the load.
      entries[key] = Entry(
        loading: Task {
          let classifier = try await loader.load(model, on: cores)
          await classifier.warmUpInTurn()
          return classifier
        }, users: 0)
    }
    entries[key]?.users += 1
    guard let loading = entries[key]?.loading else {
      throw EndpointError(.model, "model \(model.name) was released while it was loading")
    }
    do {
      return try await loading.value
    } catch {
      giveBack(key)
      throw EndpointError(.model, "model \(model.name) cannot be loaded: \(error)")
    }
  }

  func giveBack(_ key: ModelPlan.Key) {
    guard var entry = entries[key] else { return }
    entry.users -= 1
    entries[key] = entry.users > 0 ? entry : nil
  }
}
