"""What a worker does from its start to its end: the engine, and the ways in."""

import asyncio
import os
import pickle
import random
import socket
from functools import partial
from pathlib import Path
from typing import Any

from angarium.config.model import Config
from angarium.core.clock import Clock, SystemClock
from angarium.core.descriptors import descriptors
from angarium.core.errors import AngariumError
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.records import Recipient
from angarium.core.tasks import Tasks
from angarium.delivery.router import Router
from angarium.dns.resolver import Resolver
from angarium.engine.engine import Engine
from angarium.engine.orders import maker
from angarium.engine.orders.desk import OrderDesk
from angarium.engine.orders.maker import OrderMaker
from angarium.engine.orders.obey import Obey
from angarium.http.tracking import TrackingDoor
from angarium.node import drop_folder, image_sweep
from angarium.node.assemble import Ports, assemble
from angarium.node.conditions import WorkerFacts
from angarium.node.doors import Doors
from angarium.node.drop_folder import DropCollector
from angarium.node.http.sending import sending_doors
from angarium.node.http.worker import WorkerHttp
from angarium.node.identities import WorkerIdentities
from angarium.node.image_sweep import ImageSweep
from angarium.node.leasing import SupervisorLeases
from angarium.node.link import Link
from angarium.node.load import LoadWatch
from angarium.node.logs import hear_libraries, make_log
from angarium.node.session_counts import SessionCounts
from angarium.node.spools import open_spools, partition_folders
from angarium.node.surroundings import LOOK_S, Surroundings
from angarium.node.waiting_mail import count_recovered, count_stored, stored_mail
from angarium.node.worker_operations import WorkerOperations
from angarium.render.pipeline import rendering_with
from angarium.render.tracking.addresses import PREFIX
from angarium.spool.files.orders.shelf import OrderShelf, orders_folder
from angarium.spool.port import RecoveryReport
from angarium.submission.intake.intake import Intake
from angarium.submission.keys.database import KeyDatabase
from angarium.submission.keys.keys import RequestKeys
from angarium.submission.session.reception import Reception
from angarium.tls.server.contexts import TlsContexts
from angarium.tls.server.own import own_pair

_SWEEP_S = 1.0
_FLUSH_S = 0.05
_ANSWERED_BY_ALL = "invalid"
"""A name that every name server says does not exist (RFC 6761, section 6.4)."""


class WorkerService:
    """One that has begun; it ends with `drain`. *report* says what its start has found."""

    def __init__(
        self,
        *,
        report: RecoveryReport,
        link: Link,
        engine: Engine,
        identities: WorkerIdentities,
        surroundings: Surroundings,
        resolver: Resolver,
        intake: Intake,
        keys: RequestKeys,
        reception: Reception,
        tls: TlsContexts,
        http: WorkerHttp,
        doors: Doors,
        load: LoadWatch,
        operations: WorkerOperations,
        drop: DropCollector | None,
        images: ImageSweep | None,
        orders: OrderMaker,
        clock: Clock,
        log: Log,
    ) -> None:
        self.report = report
        self._link = link
        self._engine = engine
        self._identities = identities
        self._surroundings = surroundings
        self._resolver = resolver
        self._intake = intake
        self._keys = keys
        self._reception = reception
        self._tls = tls
        self._http = http
        self._doors = doors
        self._load = load
        self._orders = orders
        self._clock = clock
        self._log = log
        self._operations = {
            "config": self._follow_config,
            "certificates": self._follow_certificates,
            "health": self._health,
            **operations.operations(),
        }
        self._sweep()
        tasks = Tasks(log, clock)
        self._regular = [
            tasks.regularly(LOOK_S, self._look_around),
            tasks.regularly(LOOK_S, self._ask_silent_servers),
            tasks.regularly(maker.LOOK_S, orders.look),
        ]
        if drop is not None:
            self._regular.append(tasks.regularly(drop_folder.LOOK_S, drop.look))
        if images is not None:
            self._regular.append(tasks.regularly(image_sweep.LOOK_S, images.look))

    @classmethod
    async def begin(
        cls, spec: dict[str, Any], link: Link, sockets: socket.socket, counts_fd: int
    ) -> "WorkerService":
        """Put the engine and all around it together, recover the partitions, and begin to deliver.

        Mail comes in when listening sockets come over *sockets*. Raises AngariumError.
        """
        config: Config = pickle.loads(spec["config"])
        data, index, workers = Path(spec["data"]), spec["index"], spec["workers"]
        clock, counters, rng = SystemClock(), Counters(), random.Random()
        later = partial(asyncio.get_running_loop().call_later, _FLUSH_S)
        log = make_log(config, later, worker=index)
        hear_libraries(log, clock)
        session_counts = SessionCounts(counts_fd, workers, index)

        identities = WorkerIdentities(
            config,
            data,
            clock,
            log,
            partial(_tell_failure, link),
            partial(_tell_success, link),
            session_counts,
        )
        surroundings = Surroundings(clock, log)
        await surroundings.look(config.globals)
        resolver = Resolver(surroundings.settings(config.globals), clock)
        folders = partition_folders(data, config, index, workers)
        engine = await assemble(
            config,
            Ports(
                clock=clock,
                log=log,
                counters=counters,
                open_spool=partial(open_spools, folders, log=log, clock=clock),
                routes=Router(resolver, config, rng, local_addresses=surroundings.seen.addresses),
                leases=lambda scheduler: SupervisorLeases(link),
                workers=workers,
                waiting=session_counts,
                keys=identities.directory,
                returns=identities.returns,
                rendering=rendering_with(identities.tracking, identities.returns, identities.images),
                clearance=identities.clearance,
                rng=rng,
            ),
        )
        report, recipients = _recover(engine, folders, session_counts, clock, log)
        shelf = OrderShelf(orders_folder(data))
        orders = OrderMaker(
            shelf,
            index,
            workers,
            engine.spool,
            engine.acceptance,
            Obey(engine.operator),
            clock,
            log,
            identities.lists,
        )
        await orders.reconcile({recipient.message.id for recipient in recipients})
        await identities.start()

        keys = await _begin_keys(engine, data, folders, clock, log)
        intake = Intake(
            config,
            engine.acceptance,
            engine.spool,
            clock,
            log,
            rng,
            counters,
            identities.quota,
            engine.facts,
            OrderDesk(shelf, workers, clock),
            keys,
        )
        tls = TlsContexts(own_pair(data), clock, log)
        tls.follow(config)
        reception = Reception(
            config,
            intake,
            session_counts,
            clock,
            log,
            counters,
            identities.access,
            tls,
            engine.facts,
            identities.returns,
        )
        # what answers http.front.WORKER_PATHS
        readers = engine.readers
        own = {PREFIX: TrackingDoor(identities.tracking, readers.note, readers.keep, identities.images)}
        sending = sending_doors(intake, identities, clock, log)
        http = WorkerHttp(own, data, workers, session_counts.http, clock, log, sending)
        await http.start()
        doors = Doors(sockets, engine.view, reception, http, tls, session_counts, clock, log)

        engine.acceptance.add(recipients)
        log.info("recovered", clock.now(), **report._asdict())
        doors.open()
        return cls(
            report=report,
            link=link,
            engine=engine,
            identities=identities,
            surroundings=surroundings,
            resolver=resolver,
            intake=intake,
            keys=keys,
            reception=reception,
            tls=tls,
            http=http,
            doors=doors,
            load=LoadWatch(engine, intake, reception, workers, clock, counters),
            operations=WorkerOperations(index, link, engine, clock, counters, log),
            drop=None if index else DropCollector(lambda: engine.view.config, clock, log),
            images=None
            if index
            else ImageSweep(
                identities.images, lambda: engine.view.config.globals.hosted_image_retention, clock, log
            ),
            orders=orders,
            clock=clock,
            log=log,
        )

    # -- the end

    async def drain(self, seconds: float) -> None:
        """Take no more mail, finish what must be finished, keep the rest in the spool, and end."""
        self._doors.close()
        self._reception.shutdown()
        await asyncio.gather(self._engine.drain.drain(seconds), self._http.stop())
        await self._intake.settled()
        await self._orders.end()
        await self._engine.drain.report_all(seconds)
        self._reception.cut_off()
        for each in self._regular:
            each.cancel()
        self._sweeper.cancel()
        await self._identities.close()
        await self._keys.close()
        self._engine.facts.write()
        self._engine.readers.write()
        await self._engine.spool.close()
        self._log.info("stopped", self._clock.now())
        self._log.flush()

    def hurry(self, seconds: float) -> None:
        """Have `drain` wait for no more than *seconds* from now on."""
        self._engine.drain.hurry(seconds)

    # -- each second

    def _sweep(self) -> None:
        # First, since whatever goes wrong below, the next second comes.
        self._sweeper = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)
        self._reception.sweep(self._clock.now())
        self._engine.sweeper.sweep()
        self._engine.facts.sweep()
        self._engine.readers.write()
        self._load.admit()
        self._link.tell("alive")  # last: a worker in which one of these fails for long is replaced

    # -- what the supervisor says

    def hear(self, op: str, args: dict[str, Any]) -> bool:
        """Take what is told and does not wait; False for anything else."""
        if op == "granted":
            self._engine.scheduler.granted(**args)
        elif op == "recall":
            self._engine.scheduler.recall(**args)
        elif op == "login_failed":
            self._reception.auth_failed(args["address"], args["mark"], args["listener"])
        elif op == "login_new":
            self._reception.auth_succeeded(args["network"], args["mark"])
        else:
            return False
        return True

    async def answer(self, op: str, args: dict[str, Any]) -> Any:
        """Do what is asked. Raises AngariumError, with a sentence for who asked."""
        if op not in self._operations:
            raise AngariumError(f"unknown operation {op!r}")
        try:
            return await self._operations[op](args)
        except ValueError as error:
            raise AngariumError(str(error)) from error

    async def _follow_config(self, args: dict[str, Any]) -> None:
        config: Config = pickle.loads(args["config"])
        self._engine.view.follow(config)
        await self._look_around()
        self._log.level = config.globals.log_level
        self._tls.follow(config)
        self._doors.reconfigure()
        self._reception.reconfigure(config, set(args["changed"]))
        self._engine.reconfigure(config)

    async def _look_around(self) -> None:
        options = self._engine.view.config.globals
        has_moved = await self._surroundings.look(options)
        self._resolver.reconfigure(self._surroundings.settings(options))
        if has_moved:
            self._engine.way_finder.has_moved(self._surroundings.seen.addresses)

    async def _follow_certificates(self, args: dict[str, Any]) -> None:
        self._tls.follow(self._engine.view.config)

    async def _health(self, args: dict[str, Any]) -> Any:
        self._log.flush()  # it may be read again
        return WorkerFacts(
            accepting=self._load.admit(),  # ready means that the next client is not refused
            unwell=self._engine.spool.status().unwell,
            note=self._surroundings.seen.note,
            name_servers_silent=self._resolver.silent,
            identity_silent_s=self._identities.directory.silent_s(),
            suppressions_unknown=self._identities.clearance.problem,
            listening=len(self._doors),
            descriptors=descriptors(),
            log_lost=self._log.unread,
        )

    async def _ask_silent_servers(self) -> None:
        """Ask name servers that were silent again, so that what is said of them stays true when no mail needs them."""
        if self._resolver.silent:
            await self._resolver.query(_ANSWERED_BY_ALL, "A", self._clock.now())


def _tell_failure(link: Link, address: str, mark: str, listener: str) -> None:
    link.tell("login_failed", address=address, mark=mark, listener=listener)


def _tell_success(link: Link, network: str, mark: str) -> None:
    link.tell("login_new", network=network, mark=mark)


def _recover(
    engine: Engine, folders: list[Path], session_counts: SessionCounts, clock: Clock, log: Log
) -> tuple[RecoveryReport, list[Recipient]]:
    """Recover the partitions; return what was found, and the recipients that the journals hold."""
    report, recipients = engine.recover()
    count_recovered(session_counts, recipients)
    stored = stored_mail(folders, clock, log)  # now, before anything else settles
    Tasks(log, clock).start(count_stored(session_counts, stored, clock, log))
    return report, recipients


async def _begin_keys(engine: Engine, data: Path, folders: list[Path], clock: Clock, log: Log) -> RequestKeys:
    """Take over what the journals have of requests with keys. What a partition that cannot be read has is not known."""
    keys = RequestKeys(KeyDatabase(data, folders[0].name, os.urandom(16)), clock, log)
    engine.spool.on_answer(keys.keep)
    read = folders[:1] if engine.spool.status().unwell else folders
    await keys.start([folder.name for folder in read])
    return keys
