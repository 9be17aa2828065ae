package customer

// Codes returns every code, in the order of the checks.
func Codes() []Code {
	return []Code{
		NoKey, BadKey, WrongPartition, ErasedCustomer, NoValue, TooLarge, NotCloudEvent, UnknownType, UnknownVersion,
		KeyMismatch, BadData, CardNumber, InvalidField, TimeInFuture, EffectiveOutOfRange, ScheduleFull, BeyondHorizon, ApplyFailed,
	}
}
