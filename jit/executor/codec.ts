/** One MessagePack value for each WebSocket message: plain MessagePack, no extensions of the library's own. */
import { Packr } from 'msgpackr';

const packr = new Packr({
  useRecords: false,
  variableMapSize: true,
  encodeUndefinedAsNil: true,
  int64AsType: 'number',
  moreTypes: false,
});

/** Above 32 bits the library would write a float64; the executor takes both, but integers are what is meant. */
function exact(value: unknown): unknown {
  if (typeof value === 'number') {
    return Number.isInteger(value) && Math.abs(value) > 0xffffffff ? BigInt(value) : value;
  }
  if (value instanceof Uint8Array)
    return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (Array.isArray(value)) return value.map(exact);
  if (typeof value === 'object' && value !== null) {
    const result: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(value)) if (item !== undefined) result[key] = exact(item);
    return result;
  }
  return value;
}

export function encode(message: object): Uint8Array {
  // The library reuses its buffer for the next message; ws may still hold this one.
  return Uint8Array.prototype.slice.call(packr.pack(exact(message)));
}

/** Throws what msgpackr throws when the bytes are no MessagePack. */
export function decode(data: Uint8Array): unknown {
  return packr.unpack(data);
}
