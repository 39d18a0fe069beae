"""Engines that make the radar layers. What a data set needs of them is `ports.SarEngine`; `wiring` picks one."""
