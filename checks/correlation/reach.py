"""Silence: which element, gone by itself, leaves dark what is dark and bright what is bright?

A node is *dark* when something at it is silent and nothing at it has answered since. Of the elements that dominate a dark node those are
cleared behind which anything still answers. The fault lies in what is left between the last cleared element and the dark node nearest
to the agent; a port that is down names it, a port that is up clears its cable.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from checks.ask import Ask
from checks.causes import Sort
from checks.correlation.fault import Basis, Fault, ask
from checks.correlation.life import lives
from checks.correlation.names import far_end, is_leaf, line_code, node_code
from checks.correlation.picture import OPER, Dark, Picture, Plug, Symptom
from checks.correlation.sites import TOGETHER, join_sites
from checks.correlation.vantage import Others, await_others, name_the_blind, shut_out
from checks.finding import Finding
from checks.topology import LINK, Element
from probe.inventory import Owner

MISPLACED = 0.2  # the share of what answers behind an element up to which the inventory is taken to be wrong, not the silence
LEAST_DARK = 4  # … but only where so many are dark
NET = "icmp"  # what is asked of a node that has no check of its own


class Cut(msgspec.Struct, frozen=True):
    """What may be broken in front of a dark root: elements in order from the agent, and what is to be measured before that is sure."""

    root: Dark
    suspects: tuple[Element, ...]
    asks: tuple[Ask, ...]
    against: bool = False


class Reach:
    """All silence of a picture, sorted: `faults`, and `alive`, the silent symptoms of nodes that answer otherwise."""

    def __init__(self, picture: Picture, others: Others) -> None:
        self.picture, self.topology, self.others = picture, picture.topology, others
        self.alive: list[Symptom] = []
        self.dark = self._find_dark()
        self.lit = frozenset(name for name, one in self.dark.items() if others.see(name, one.since))  # not gone: dark to us alone
        self.shared: list[Fault] = []  # of what another agent can't see either
        self.down = self._down()
        self.faults: list[Fault] = []
        self._cut_off()
        self._place()
        self._lonely_ports()
        if others.views:
            name_the_blind(self.faults, self.dark, others, picture)
            await_others(self.faults, self.dark, others)
        self.faults = join_sites(self.faults, self.dark.keys() - self.lit, picture)

    def _find_dark(self) -> dict[str, Dark]:
        by_node: dict[str, list[Symptom]] = {}
        for one in self.picture.symptoms:
            if one.sort is Sort.SILENT:
                by_node.setdefault(one.node, []).append(one)
        dark = {}
        for node, symptoms in by_node.items():
            since = max(one.since for one in symptoms)
            alive = self.picture.alive_at(node)
            if node == self.topology.here or (alive is not None and alive >= since):
                self.alive.extend(symptoms)
            else:
                dark[node] = Dark(node, tuple(symptoms), since)
        return dark

    def _down(self) -> dict[Element, list[Symptom]]:
        """Return the links of which a port is down, with what says so."""
        down: dict[Element, list[Symptom]] = {}
        for one in self.picture.symptoms:
            if one.check == OPER and one.link is not None:
                down.setdefault(one.link, []).append(one)
        return down

    def _cut_off(self) -> None:
        """Take the dark nodes that no way leads to any more once the links that are down are gone."""
        self.left = dict(self.dark)
        self._reached: set[Element] = set()
        if not self.down:
            return
        reached = self._reached = self.topology.reached(self.down.keys())
        lost = [one for one in self.dark.values() if one.node not in reached and one.node in self.topology.parent]
        for cut, nodes in self._cuts(lost).items():
            self._down_fault(sorted(cut), [self.left.pop(name) for name in nodes])

    def _cuts(self, lost: list[Dark]) -> dict[frozenset[Element], list[str]]:
        """Return for each set of links that together cut nodes off those nodes: each link alone, put back, would reach them."""
        found: dict[frozenset[Element], list[str]] = {}
        back: dict[Element, set[Element]] = {}
        for one in lost:
            first = next((element for element in self.topology.chain(one.node) if element in self.down), None)
            if first is not None:  # it dominates the node, so that it alone cuts it off; of several the nearest to the agent does
                found.setdefault(frozenset((first,)), []).append(one.node)
                continue
            if not back:
                back = {element: self._put_back(element) for element in sorted(self.down)}
            cut = frozenset(element for element, reached in back.items() if one.node in reached)
            if cut:
                found.setdefault(cut, []).append(one.node)
        return found

    def _put_back(self, element: Element) -> set[Element]:
        """Return what is reached again when one of the links that are down is well: on from its far end, if the near one is reached."""
        found: set[Element] = set()
        if not any(end in self._reached and self.topology.may_cross(end) for end in self.topology.neighbours(element)):
            return found
        left = [element]
        while left:
            for near in self.topology.onwards(left.pop()):
                if near not in self._reached and near not in found and near not in self.down:
                    found.add(near)
                    left.append(near)
        return found

    def _down_fault(self, parts: list[Element], dark: list[Dark]) -> None:
        """Make the fault of links that are down with dark nodes behind them."""
        topology = self.topology
        latest = max(min(one.since for one in self.down[part]) for part in parts)
        parts = [part for part in parts if latest - min(one.since for one in self.down[part]) <= TOGETHER]
        said = [one for part in parts for one in self.down.pop(part)]
        symptoms = said + [one for node in dark for one in node.symptoms]
        nodes = frozenset(node.node for node in dark)
        link = topology.link(parts[0])
        assert link is not None
        far = far_end(self.topology, parts[0])
        meeting = self._meeting(parts)
        if any(one.said == "interfaces.admin-down" for one in said):
            fault = Fault("interface_admin_down", link.name, symptoms, Basis.SAID, None, parts[0], nodes)
        elif meeting in nodes - self.lit and (len(parts) > 2 or topology.node(meeting).owner is not Owner.CARRIER):
            # one machine without power takes all its lines with it; that so many are cut at once is much less likely
            fault = Fault(
                node_code(self.topology, meeting),
                meeting,
                symptoms,
                Basis.CLASS,
                meeting,
                None,
                nodes,
                alternatives=(line_code(self.topology, link),),
            )
            fault.elsewhere = tuple(part.removeprefix(LINK) for part in parts)
        elif len(parts) == 1 and far in nodes - self.lit and is_leaf(self.topology, far) and topology.node(far).owner is Owner.COMPANY:
            fault = Fault("host_down", far, symptoms, Basis.CLASS, far, parts[0], nodes, elsewhere=(link.name,))
            fault.alternatives = ("interface_down",)
        else:
            name = "+".join(one.name for part in parts if (one := topology.link(part)) is not None)
            fault = Fault(line_code(self.topology, link), name, symptoms, Basis.PORT, None, parts[0], nodes)
            if meeting and meeting not in self.lit:
                fault.alternatives, fault.elsewhere = (node_code(self.topology, meeting),), (meeting,)
            if far in self.lit:
                pass  # another agent sees it: it is the line
            elif fault.code == "customer_line":
                fault.alternatives, fault.elsewhere, fault.basis = ("customer_router",), (far,), Basis.CLASS
            elif fault.code == "interface_down":
                fault.alternatives, fault.elsewhere, fault.basis = ("host_down",), (far,), Basis.CLASS
        fault.clear([self._near_sign(parts[0], fault.since)])
        self.faults.append(fault)

    def _meeting(self, parts: list[Element]) -> str:
        """Return the dark node at which several links meet; "" where there is none, or only one link."""
        if len(parts) < 2:
            return ""
        ends = set(self.topology.neighbours(parts[0])).intersection(*(self.topology.neighbours(part) for part in parts[1:]))
        return next(iter(sorted(ends & self.dark.keys())), "")

    def _place(self) -> None:
        """Find the element for the nodes that are dark without a port that says why."""
        while self.left:
            under: dict[str, list[str]] = {}  # by root, which is dark with nothing dark before it: what is dark behind it, itself included
            for name in self.left:
                under.setdefault(next(one for one in self.topology.chain(name) if one in self.left), []).append(name)
            groups: dict[Element, list[Cut]] = {}
            for root in (self.left[name] for name in sorted(under)):
                cut = self._suspects(root)
                if cut.suspects:
                    groups.setdefault(cut.suspects[0], []).append(cut)
                elif root.node in self.lit:
                    self.faults.append(shut_out(list(self.left.pop(root.node).symptoms), root.node))
                else:
                    self._mute(self.left.pop(root.node))
            for cuts in groups.values():
                self._place_group(cuts, under)

    def _mute(self, dark: Dark) -> None:
        """Make the fault of a node that is silent itself although something behind it answers: it forwards, and is not gone."""
        if len(dark.symptoms) == 1 or len({one.service for one in dark.symptoms}) == 1:
            self.alive.extend(dark.symptoms)
            return
        behind = next((name for name in self.topology.behind(dark.node) if self.picture.alive_at(name) is not None), None)
        fault = Fault("service_hung", dark.node, list(dark.symptoms), Basis.CLASS, dark.node, alternatives=("service_blocked",))
        fault.clear([self.picture.sign(behind)] if behind is not None else [])
        self.faults.append(fault)

    def _suspects(self, root: Dark) -> Cut:
        chain, asks, against = self.topology.chain(root.node), [], False
        suspects: list[Element] = []
        for element in reversed(chain):
            if element == self.topology.here:
                break
            verdict = self._answers_behind(element, root.since)
            if verdict is not None:
                if verdict <= MISPLACED and self._dark_behind(element) >= LEAST_DARK:
                    against = True
                else:
                    break
            suspects.append(element)
            asks += self._stale(element, root.since)
        left = self.others.narrowed(suspects, root.node, root.since) if self.others.views else suspects
        return Cut(root, self._not_known_good(left, root.node), tuple(asks), against)

    def _not_known_good(self, suspects: list[Element], root: str) -> tuple[Element, ...]:
        """Return the suspects, nearest to the agent first, from behind the last node that answered when it was last asked.

        Until it is asked again that is no proof, but the best guess.
        """
        left: list[Element] = []
        for element in suspects:
            if element != root and element not in self.dark and self.picture.alive_at(element) is not None:
                break
            left.append(element)
        return tuple(reversed(left))

    def _answers_behind(self, element: Element, since: datetime) -> float | None:
        """Return the share of the nodes behind an element that answered since; None when none did."""
        dark, bright, limit = 0, 0, 0
        for node in self.topology.behind(element):
            if node in self.dark:
                dark += 1
            elif (alive := self.picture.alive_at(node)) is not None and alive >= since:
                bright += 1
                limit = max(limit, 1)
                if bright > 200 and bright > dark:
                    break
        return bright / (bright + dark) if bright else None

    def _dark_behind(self, element: Element) -> int:
        return sum(node in self.dark for node in self.topology.behind(element))

    def _stale(self, element: Element, since: datetime) -> list[Ask]:
        """Return what to measure so that it is known of this moment whether a suspect is well."""
        picture, asks = self.picture, []
        link = self.topology.link(element)
        if link is not None:
            plug, _, job = picture.plug(link, since)
            return [ask(job, "port", link.name)] if plug is Plug.DOUBTFUL and job is not None else []
        for job, memory in picture.jobs.get(element, ()):
            told = memory.before is not None and lives(memory.before) is not None
            if told and memory.last_at is not None and memory.last_at < since:
                asks.append(ask(job, "parent", element))
        asks += [ask(job, "parent", element) for job in picture.doubts(element)]
        if not picture.measured(element) and self.topology.node(element).address is not None:
            asks.append(ask((element, NET, ""), "parent", element))
        return asks

    def _place_group(self, cuts: list[Cut], under: Mapping[str, list[str]]) -> None:
        """Choose the element for the roots that share their first suspect; `under` are the dark nodes behind each."""
        topology, picture = self.topology, self.picture
        shared = list(cuts[0].suspects)
        for cut in cuts[1:]:
            shared = [one for one, other in zip(shared, cut.suspects, strict=False) if one == other]
        since = max(cut.root.since for cut in cuts)
        plugs = {one: picture.plug(link, since) for one in shared if (link := topology.link(one)) is not None}
        left = [one for one in shared if one not in plugs or plugs[one][0] is not Plug.UP]
        nodes = [one for one in left if not one.startswith(LINK)]
        links = [one for one in left if one.startswith(LINK)]
        chosen = nodes[-1] if nodes else links[-1] if links else shared[-1]
        roots = {cut.root.node for cut in cuts}
        behind = [name for root in sorted(roots) for name in under[root] if not self.others.apart(name, chosen)]
        dark = [self.left.pop(name) for name in dict.fromkeys((*sorted(roots), *behind))]
        symptoms = [one for node in dark for one in node.symptoms]
        names = frozenset(node.node for node in dark)
        others = tuple(one.removeprefix(LINK) for one in left if one != chosen)
        fault = self._silent_fault(chosen, symptoms, names, others, any(plug is Plug.UP for plug, _, _ in plugs.values()))
        fault.basis = Basis.AGAINST if any(cut.against for cut in cuts) else fault.basis
        fault.asks += [one for cut in cuts for one in cut.asks]
        fault.asks += self._lines_in_doubt(chosen, since) if chosen not in plugs else []
        fault.asks += [one for node in dark for one in self._stale(node.node, min(s.since for s in node.symptoms))]
        fault.clear(found for plug, found, _ in plugs.values() if plug is Plug.UP)
        fault.clear([self._near_sign(cuts[0].suspects[0], fault.since)])
        self.faults.append(fault)
        if any(self.others.blind_to(name) for name in roots):
            self.shared.append(fault)

    def _silent_fault(self, chosen: Element, symptoms: list[Symptom], dark: frozenset[str], others: tuple[str, ...], up: bool) -> Fault:
        """Name the fault of a node, or of a link no port of which is measured, with nothing but silence behind it."""
        link = self.topology.link(chosen)
        if link is not None:
            basis = Basis.WIDE if others else Basis.SILENCE
            return Fault(line_code(self.topology, link), link.name, symptoms, basis, None, chosen, dark, elsewhere=others)
        node = self.topology.node(chosen)
        code, alternatives = "host_down", tuple[str, ...]()
        if node.owner is Owner.CARRIER and (ours := self._no_route(chosen, symptoms, dark)) is not None:
            return ours
        if dark == {chosen} and len({one.job for one in symptoms}) == 1 and symptoms[0].cause.code != code:
            return self._one_voice(chosen, symptoms[0], others)
        code = node_code(self.topology, chosen)
        above = next((one for one in reversed(self.topology.chain(chosen)[:-1]) if one.startswith(LINK)), None)
        cable = self.topology.link(above) if above is not None else None
        if cable is not None and not up:
            line = line_code(self.topology, cable)
            if line not in (code, "gateway_down"):
                alternatives = (line,)
        basis = Basis.CLASS if alternatives else Basis.SILENCE
        return Fault(code, chosen, symptoms, basis, chosen, None, dark, alternatives=alternatives, elsewhere=others)

    def _no_route(self, node: str, symptoms: list[Symptom], dark: frozenset[str]) -> Fault | None:
        """Return the fault of our own router before a carrier's, when all its lines there are well and its routing sessions are told no
        more, which its agent told before: it has lost its routes, for the program that keeps them is gone.
        """
        above = self._before(node)
        if above is None or self.topology.node(above).owner is not Owner.COMPANY:
            return None
        since = min(one.since for one in symptoms)
        lines = [self.picture.plug(link, since) for link, other in self.topology.links.get(above, ()) if other == node]
        kept = [(memory, key) for _, memory in self.picture.jobs.get(above, ()) for key in memory.tracks if key[0] == "snmp/bgp"]
        lost = bool(kept) and all(memory.absent.get(key) or memory.tracks[key].blind for memory, key in kept)
        if not lost or not lines or any(plug is not Plug.UP for plug, _, _ in lines):
            return None
        fault = Fault("path_own_side", above, symptoms, Basis.CLASS, above, None, dark, alternatives=("bgp_down", "process_down"))
        fault.clear(found for _, found, _ in lines)
        return fault

    def _before(self, node: str) -> str | None:
        """Return the node nearest in front of a node that every way to it crosses."""
        return next((one for one in reversed(self.topology.chain(node)[:-1]) if not one.startswith(LINK)), None)

    def _lines_in_doubt(self, node: str, since: datetime) -> list[Ask]:
        """Return what to measure of the ports in front of a node that several lines lead to."""
        plugs = [
            (link, self.picture.plug(link, since)) for link, other in self.topology.links.get(self._before(node) or "", ()) if other == node
        ]
        return [ask(job, "port", link.name) for link, (plug, _, job) in plugs if plug is Plug.DOUBTFUL and job is not None]

    def _one_voice(self, node: str, symptom: Symptom, others: tuple[str, ...]) -> Fault:
        """Return the fault of a node of which nothing but one service is measured: what it says of the node is little."""
        code = symptom.cause.code
        element = node if symptom.cause.whole or not symptom.part else f"{node}:{symptom.service}"
        told = code in {"fibre_cut", "carrier_network", "path_own_side"}  # a trace saw where it ends
        fault = Fault(code, element, [symptom], Basis.PLACED if told else Basis.CLASS, node, nodes=frozenset((node,)), elsewhere=others)
        fault.alternatives = () if told else tuple(one for one in ("service_blocked", "host_down") if one != code)
        return fault

    def _lonely_ports(self) -> None:
        """Take the links that are down with nothing dark behind them: a way that was spare, or one whose far end nobody measures."""
        for element, said in self.down.items():
            link = self.topology.link(element)
            assert link is not None
            far, since = far_end(self.topology, element), min(one.since for one in said)
            alive = self.picture.alive_at(far)
            spare = far in self._reached
            if any(one.said == "interfaces.admin-down" for one in said):
                code = "interface_admin_down"
            else:
                code = "redundancy_lost" if spare else line_code(self.topology, link)
            fault = Fault(code, link.name, said, Basis.PORT, None, element)
            if alive is not None and alive >= since:
                fault.clear([self.picture.sign(far)])
            elif far != self.topology.here:
                fault.asks += self._stale(far, since)
            fault.clear([self._near_sign(element, since)])
            self.faults.append(fault)

    def _near_sign(self, element: Element, since: datetime) -> Finding | None:
        """Return the sign of life nearest in front of an element: what is well up to there."""
        for above in reversed(self.topology.chain(far_end(self.topology, element) if element.startswith(LINK) else element)):
            if above == element or above.startswith(LINK) or above in self.dark:
                continue
            alive = self.picture.alive_at(above)
            if alive is not None and alive >= since:
                return self.picture.sign(above)
        return None
