import HTTP
public import Imaging
public import Inference
import Networks

/// Makes a model's classifier; where it blocks it blocks a thread of its own.
public protocol ModelLoading: Sendable {
  /// - Throws: what keeps the model from being used; its description is told to the user.
  func load(_ model: ModelPlan, on cores: Cores) async throws -> Classifier
}

/// Loads from files.
public struct FileModelLoader: ModelLoading {
  private let thread = OwnThreads()
  private let decoding: DecodeOptions

  /// - Parameter decoding: how much work a picture may make.
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

/// The models in memory. Each is loaded and warmed up once, however many variants and endpoints want it, and leaves
/// when the last of them has given it back.
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

  /// Takes a model, which waits until it is warm; `giveBack` has to follow once.
  ///
  /// - Throws: `EndpointError`, with nothing taken.
  func take(_ model: ModelPlan) async throws(EndpointError) -> Classifier {
    let key = model.key
    if entries[key] == nil {
      guard entries.count < limit else {
        throw EndpointError(
          .tooMany, "\(limit) models are in memory, the most that may be; delete an endpoint first")
      }
      let (loader, cores) = (loader, cores)
      // A task of its own: it is everybody's who waits for the model, and ends with the loading.
      entries[key] = Entry(
        loading: Task {
          let classifier = try await loader.load(model, on: cores)
          await classifier.warmUpInTurn()
          return classifier
        }, users: 0)
    }
    entries[key]?.users += 1
    guard let loading = entries[key]?.loading else {
      throw EndpointError(.model, "the model \(model.name) was given up while it was loaded")
    }
    do {
      return try await loading.value
    } catch {
      giveBack(key)
      throw EndpointError(.model, "the model \(model.name) cannot be loaded: \(error)")
    }
  }

  func giveBack(_ key: ModelPlan.Key) {
    guard var entry = entries[key] else { return }
    entry.users -= 1
    entries[key] = entry.users > 0 ? entry : nil
  }
}
