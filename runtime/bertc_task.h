// What a model's answer is: the kinds of task, in the artefact's task table and in results, and what goes with
// an embedding.
#ifndef BERTC_TASK_KIND_H
#define BERTC_TASK_KIND_H

typedef enum bertc_task_kind {
    BERTC_TASK_TENSORS = 0,   // raw tensors only
    BERTC_TASK_EMBEDDING,     // output "embedding" [S,width]: pooled (and normalised) in the graph
    BERTC_TASK_CLASSIFY,      // "logits" [S,labels]: softmax
    BERTC_TASK_MULTI_LABEL,   // "logits" [S,labels]: sigmoid of each; one label too
    BERTC_TASK_REGRESSION,    // "logits" [S,labels]: as they are
    BERTC_TASK_ENTITIES,      // "logits" [T,labels]
    BERTC_TASK_ANSWER,        // "start_logits", "end_logits" [T]
    BERTC_TASK_FILL_MASK,     // "logits" [R,vocab] (masked LM)
    BERTC_TASK_NEXT_SENTENCE, // "logits" [S,2]: index 0 is "is next"
    // "prediction_logits" [R,vocab] and "seq_relationship_logits" (ALBERT: "sop_logits") [S,2]
    BERTC_TASK_PRETRAINING,
    BERTC_TASK_SPARSE,  // "sparse" [S,vocab]: a weight for each token of the vocabulary (SPLADE)
    BERTC_TASK_VECTORS, // "vectors" [T,width]: one for each token (late interaction)
    // Any of "embedding" [S,width], "token_weights" [T] and "vectors" [T,width], of one pass (BGE-M3)
    BERTC_TASK_SEVERAL
} bertc_task_kind;

// How two embeddings are compared. The larger the number, the more alike they are.
typedef enum bertc_similarity {
    BERTC_SIMILARITY_COSINE = 0,
    BERTC_SIMILARITY_DOT,
    BERTC_SIMILARITY_EUCLIDEAN, // less the distance
    BERTC_SIMILARITY_MANHATTAN, // less the sum of the differences
    // Of models that give a vector per token: bertc_maxsim, and the same divided by the query's vectors.
    BERTC_SIMILARITY_MAXSIM,
    BERTC_SIMILARITY_MEAN_MAXSIM
} bertc_similarity;

#endif
