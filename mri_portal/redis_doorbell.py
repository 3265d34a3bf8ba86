"""The production portal's queue: Celery's Redis transport, for a Redis that may freeze.

A worker that cannot acknowledge a message keeps its place taken in kombu's count of messages under
way. With one place per worker it would never ask for another one, and look healthy for ever.
"""

from typing import Any

from kombu.transport import redis, virtual


class QoS(redis.QoS):
    def ack(self, delivery_tag: str) -> None:
        try:
            super().ack(delivery_tag)
        except Exception:
            # Redis delivers the message again after its visibility time-out; doing it twice changes nothing.
            virtual.QoS.ack(self, delivery_tag)
            raise


class Channel(redis.Channel):
    QoS: Any = QoS


class Transport(redis.Transport):
    Channel = Channel
