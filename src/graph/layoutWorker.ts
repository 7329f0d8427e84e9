/** The Web Worker that lays drawings out; one message in, one out. */
import { layout } from './layout';
import type { IDrawing, ILayout } from './model';

export interface ILayoutRequest {
  id: number;
  drawing: IDrawing;
}

export interface ILayoutAnswer {
  id: number;
  layout: ILayout | null;
  error: string;
}

self.onmessage = (message: MessageEvent<ILayoutRequest>) => {
  const { id, drawing } = message.data;
  let answer: ILayoutAnswer;
  try {
    answer = { id, layout: layout(drawing), error: '' };
  } catch (error) {
    answer = { id, layout: null, error: String(error) };
  }
  self.postMessage(answer);
};
