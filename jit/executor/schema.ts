/**
 * Checks what came over the wire before anything uses it: each field of each message is described once, and its
 * TypeScript type follows from the description.
 */

export interface Field<T> {
  /** Returns the value as T, or throws a FieldError that names the place. */
  read(value: unknown, place: string): T;
}

export type Infer<F> = F extends Field<infer T> ? T : never;

export class FieldError extends Error {
  readonly place: string;
  constructor(place: string, expected: string) {
    super(`${place} is not ${expected}`);
    this.name = 'FieldError';
    this.place = place;
  }
}

export const unsigned: Field<number> = {
  read(value, place) {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    throw new FieldError(place, 'an unsigned integer below 2^53');
  },
};

export const integer: Field<number> = {
  read(value, place) {
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
    throw new FieldError(place, 'an integer');
  },
};

export const text: Field<string> = {
  read(value, place) {
    if (typeof value === 'string') return value;
    throw new FieldError(place, 'a string');
  },
};

export const bytes: Field<Uint8Array> = {
  read(value, place) {
    if (value instanceof Uint8Array) return value;
    throw new FieldError(place, 'a byte string');
  },
};

export function optional<T>(field: Field<T>): Field<T | undefined> {
  return {
    read: (value, place) => (value === undefined || value === null ? undefined : field.read(value, place)),
  };
}

export function list<T>(field: Field<T>): Field<readonly T[]> {
  return {
    read(value, place) {
      if (!Array.isArray(value)) throw new FieldError(place, 'a list');
      return value.map((item, index) => field.read(item, `${place}[${index}]`));
    },
  };
}

export function record<S extends Readonly<Record<string, Field<unknown>>>>(
  fields: S,
): Field<{ readonly [K in keyof S]: Infer<S[K]> }> {
  return {
    read(value, place) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw new FieldError(place, 'a map');
      }
      const source = value as Record<string, unknown>;
      const result: Record<string, unknown> = {};
      for (const [name, field] of Object.entries(fields)) {
        result[name] = field.read(source[name], `${place}.${name}`);
      }
      return result as { readonly [K in keyof S]: Infer<S[K]> };
    },
  };
}
