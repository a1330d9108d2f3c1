/// The name of the kernels this processor runs: "portable", "avx2" or "avx512".
public var kernelSetInUse: String { KernelSet.best.name }
