/** What the linker gives: memory contents at final addresses, and where each section and symbol went. */

export type SegmentKind = 'code' | 'constant' | 'data';

/** A run of bytes that is uploaded, and cached on the device, as one. */
export interface Piece {
  /** Offset in bytes from the start of the segment. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface Segment {
  readonly kind: SegmentKind;
  /** Page-aligned. */
  readonly address: number;
  /** Bytes in memory; what no piece covers is zero. A multiple of the page size. */
  readonly memorySize: number;
  readonly pieces: readonly Piece[];
}

export interface PlacedSection {
  readonly object: string;
  readonly name: string;
  /** Index in the object's section header table. */
  readonly index: number;
  readonly address: number;
  readonly size: number;
}

export interface PlacedSymbol {
  readonly name: string;
  readonly object: string;
  readonly address: number;
  readonly size: number;
  readonly kind: 'function' | 'data' | 'tls' | 'stub';
  readonly binding: 'local' | 'global' | 'weak';
}

export interface TlsImage {
  readonly mode: 'static' | 'dynamic';
  /** Address of the initial contents; 0 when fileSize is 0. */
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly alignment: number;
  /** For `static`: offset of the image's first byte from the thread pointer. */
  readonly offset: number;
}

export interface LinkStatistics {
  readonly sections: number;
  readonly liveSections: number;
  /** Sum of the sizes of live sections that occupy file bytes (no .bss). */
  readonly liveBytes: number;
}

export interface Image {
  readonly segments: readonly Segment[];
  /** Address of the entry symbol. */
  readonly entry: number;
  readonly preInitializers: readonly number[];
  readonly initializers: readonly number[];
  /** In the order in which they are to be called. */
  readonly finalizers: readonly number[];
  /** The merged .eh_frame with its zero terminator. */
  readonly frames: { readonly address: number; readonly size: number } | undefined;
  readonly tls: TlsImage | undefined;
  readonly sections: readonly PlacedSection[];
  readonly symbols: readonly PlacedSymbol[];
  readonly statistics: LinkStatistics;
}
