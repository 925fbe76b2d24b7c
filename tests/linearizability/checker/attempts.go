package main

// mergeAttempts makes one exchange of all that were sent with the same Idempotency-Key, because at most one of them takes effect:
//
//   - one was accepted and is no replay: that one, and the others without an answer did nothing;
//   - otherwise one is a replay: the effect is of an attempt without an answer, so the exchange begins with the first of these and ends with
//     the replay;
//   - otherwise those without an answer are one exchange without an answer, as old as the first.
//
// Refusals keep no key. Each of them stays an exchange of its own.
func mergeAttempts(all []*exchange) []*exchange {
	type request struct{ key, target, body string }
	attempts := map[request][]*exchange{}
	merged := make([]*exchange, 0, len(all))
	for _, e := range all {
		if e.Key == "" || (!e.isUnknown() && !e.isAccepted()) {
			merged = append(merged, e)
			continue
		}
		r := request{e.Key, e.Target, string(e.Request)}
		attempts[r] = append(attempts[r], e)
	}
	for _, those := range attempts {
		merged = append(merged, mergeKeyed(those))
	}
	return merged
}

// mergeKeyed takes attempts that are unknown or accepted, in any order, at least one.
func mergeKeyed(those []*exchange) *exchange {
	var first, replay *exchange // first: without an answer
	for _, e := range those {
		switch {
		case e.isAccepted() && !e.Replayed:
			return e
		case e.isUnknown():
			if first == nil || e.Call < first.Call {
				first = e
			}
		case replay == nil || *e.Return < *replay.Return:
			replay = e
		}
	}
	if replay == nil {
		return first
	}
	whole := *replay
	if first != nil && first.Call < whole.Call {
		whole.Call = first.Call
	}
	return &whole
}
