package views

func routes(c *Config) []Route { return nil }

var kinds []kind
