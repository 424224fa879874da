/** A file that a run made or changed, copied out of its workspace. */
export interface CollectedArtifact {
  /** `art_…` */
  id: string;
  /** Where it lay in the workspace, with slashes. */
  path: string;
  sizeBytes: number;
  /** Of the content, in hex. */
  sha256: string;
  mediaType: string;
  /** Names the copy in the artifact store. */
  blob: string;
}

export interface Artifact extends CollectedArtifact {
  taskId: string;
}
