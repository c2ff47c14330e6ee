/** All received messages, for any number of readers, each from the first message on. */
export interface MessageLog<Message> extends AsyncIterable<Message> {
  push(message: Message): void;
  /** Ends every iteration after the pushed messages: normally, or by throwing `failure`. Only the first call counts. */
  end(failure?: Error): void;
}

export function createMessageLog<Message>(): MessageLog<Message> {
  const messages: Message[] = [];
  let ending: { readonly failure: Error | undefined } | undefined;
  let news = Promise.withResolvers<void>();

  function announce(): void {
    news.resolve();
    news = Promise.withResolvers<void>();
  }

  async function* read(): AsyncGenerator<Message, void, void> {
    for (let position = 0; ; ) {
      const message = messages[position];
      if (message !== undefined) {
        position += 1;
        yield message;
      } else if (ending === undefined) {
        await news.promise;
      } else {
        if (ending.failure !== undefined) throw ending.failure;
        return;
      }
    }
  }

  return {
    push(message) {
      if (ending !== undefined) return;
      messages.push(message);
      announce();
    },
    end(failure) {
      ending ??= { failure };
      announce();
    },
    [Symbol.asyncIterator]: read,
  };
}
