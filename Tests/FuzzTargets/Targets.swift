/// Every target, by the way that bytes take through the program.
public let targets: [FuzzTarget] = [
  // Data.
  recordFiles, indexFiles, lists, journals, jpegFiles, pngFiles,
  // Models.
  onnxFiles, parameterFiles, safetensorsFiles, symbols, archives,
  // Outputs and truth.
  predictions, truths,
  // Trainings and tunings.
  manifests, containers, checkpoints, epochRecords, tuningRequests, tuningStates, patterns,
  // The local SageMaker.
  requests, paths, recordSplits, gzipFiles, forms,
  // S3.
  documents, places, keys, chunks, signatures, presigned,
]
