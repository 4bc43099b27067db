/** The reflection service of gRPC: tells tools that come without .proto files what this server speaks. */
import type { Logger } from '../../process/log.ts';
import type { DescribedFile } from '../../proto/descriptors.ts';
import type { Input } from '../../proto/load.ts';
import type { ServerReflectionRequest, ServerReflectionResponse } from '../../proto/types.ts';
import type { ServerCall } from '../grpc/server-call.ts';
import { status } from '../grpc/status.ts';
import { answerInTurn } from './answer-in-turn.ts';

export interface ReflectionOptions {
  /** Full names of the services that the server has. */
  readonly services: readonly string[];
  /** Asked once, with the first question: few servers are ever asked one. */
  readonly describeFiles: () => readonly DescribedFile[];
  readonly log: Logger;
}

interface Index {
  readonly files: ReadonlyMap<string, DescribedFile>;
  /** By the full name of what they declare. */
  readonly bySymbol: ReadonlyMap<string, DescribedFile>;
}

type Answer = Omit<Input<ServerReflectionResponse>, 'validHost' | 'originalRequest'>;

export class ReflectionService {
  readonly #options: ReflectionOptions;
  #index: Index | undefined;

  constructor(options: ReflectionOptions) {
    this.#options = options;
  }

  readonly handle = (call: ServerCall<ServerReflectionRequest, Input<ServerReflectionResponse>>): void => {
    answerInTurn(call, { answer: (question) => this.answer(question), log: this.#options.log });
  };

  answer(question: ServerReflectionRequest): Input<ServerReflectionResponse> {
    return { validHost: question.host, originalRequest: question, ...this.#answerTo(question) };
  }

  #answerTo(question: ServerReflectionRequest): Answer {
    const { files, bySymbol } = this.#described;
    switch (question.messageRequest) {
      case 'listServices':
        return { listServicesResponse: { service: this.#options.services.map((name) => ({ name })) } };
      case 'fileByFilename':
        return this.#describe(files.get(question.fileByFilename), 'file');
      case 'fileContainingSymbol':
        return this.#describe(bySymbol.get(question.fileContainingSymbol), 'symbol');
      case 'allExtensionNumbersOfType': {
        const name = question.allExtensionNumbersOfType;
        // There are no extensions in proto3.
        if (bySymbol.has(name)) return { allExtensionNumbersResponse: { baseTypeName: name } };
        return refusal(status.NOT_FOUND, 'there is no such type');
      }
      case 'fileContainingExtension':
        return refusal(status.NOT_FOUND, 'there are no extensions');
      default:
        return refusal(status.INVALID_ARGUMENT, 'the question is of a kind that is not known');
    }
  }

  /** With all that it needs, so that one question is enough. */
  #describe(file: DescribedFile | undefined, kind: string): Answer {
    if (file === undefined) return refusal(status.NOT_FOUND, `there is no such ${kind}`);
    const { files } = this.#described;
    const needed = new Set([file]);
    // Grows while it is walked.
    for (const { dependencies } of needed) {
      for (const name of dependencies) {
        const dependency = files.get(name);
        if (dependency) needed.add(dependency);
      }
    }
    return { fileDescriptorResponse: { fileDescriptorProto: [...needed].map(({ bytes }) => bytes) } };
  }

  get #described(): Index {
    if (this.#index === undefined) {
      const files = this.#options.describeFiles();
      this.#index = {
        files: new Map(files.map((file) => [file.name, file])),
        bySymbol: new Map(files.flatMap((file) => file.symbols.map((symbol) => [symbol, file]))),
      };
    }
    return this.#index;
  }
}

/** An answer too: the stream goes on. */
function refusal(errorCode: number, errorMessage: string): Answer {
  return { errorResponse: { errorCode, errorMessage } };
}
